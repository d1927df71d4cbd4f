local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/protobuf.h" })

describe("protobuf's wire", function()
  local function put(fill)
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, fill(buffer))
    local text = ffi.string(buffer.ptr, buffer.len)
    C.peri_buffer_done(buffer)
    return text
  end

  local function value(wire, number)
    return put(function(buffer)
      return C.peri_pb_put_value(buffer, wire, number)
    end)
  end

  it("writes numbers", function()
    assert.equal("\0", value(C.PERI_PB_VARINT, 0))
    assert.equal("\172\2", value(C.PERI_PB_VARINT, 300))
    assert.equal(("\255"):rep(9) .. "\1", value(C.PERI_PB_VARINT, -1LL))
    assert.equal("\1\2\0\0", value(C.PERI_PB_FIXED32, 513))
    assert.equal("\1\2\0\0\0\0\0\0", value(C.PERI_PB_FIXED64, 513))
  end)

  it("writes tags and bytes", function()
    assert.equal("\130\1", put(function(buffer)
      return C.peri_pb_put_tag(buffer, 16, C.PERI_PB_BYTES)
    end))
    assert.equal("\3abc", put(function(buffer)
      return C.peri_pb_put_bytes(buffer, cffi.slice("abc"))
    end))
  end)

  local function take(text)
    local left = ffi.new("struct peri_slice", cffi.slice(text))
    local all, field = {}, ffi.new("struct peri_pb_field")
    while left.len > 0 do
      if C.peri_pb_take(left, field) ~= 0 then
        return nil
      end
      local bytes = field.wire == C.PERI_PB_BYTES and field.bytes.len > 0 and ffi.string(field.bytes.ptr, field.bytes.len)
      all[#all + 1] = { tonumber(field.number), bytes or tonumber(field.value) }
    end
    return all
  end

  it("reads fields of every form and skips groups", function()
    assert.same(
      { { 1, 150 }, { 2, "ab" }, { 3, 1 }, { 4, 2 }, { 5, 0 }, { 6, 7 } },
      take("\8\150\1\18\2ab\29\1\0\0\0\33\2\0\0\0\0\0\0\0\43\43\8\1\44\18\1x\44\48\7")
    )
  end)

  it("refuses what is none", function()
    for _, text in ipairs({ "\8", "\0\1", "\18\5ab", "\29\1\0", "\33\1", "\44", "\43", "\43\8", "\15\1", ("\255"):rep(11), "\8" .. ("\255"):rep(10) }) do
      assert.is_nil(take(text), text)
    end
  end)

  it("knows how types travel", function()
    assert.equal(C.PERI_PB_VARINT, C.peri_pb_wire_of(C.PERI_PB_SINT64))
    assert.equal(C.PERI_PB_FIXED32, C.peri_pb_wire_of(C.PERI_PB_FLOAT))
    assert.equal(C.PERI_PB_FIXED64, C.peri_pb_wire_of(C.PERI_PB_DOUBLE))
    assert.equal(C.PERI_PB_BYTES, C.peri_pb_wire_of(C.PERI_PB_MESSAGE))
    local left, bits = ffi.new("struct peri_slice", cffi.slice("\5\6")), ffi.new("uint64_t[1]")
    assert.equal(0, C.peri_pb_take_value(left, C.PERI_PB_VARINT, bits))
    assert.equal(5, tonumber(bits[0]))
    assert.equal(1, tonumber(left.len))
  end)
end)
