local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cache/wire.h", "base/error.h" })

local function hex(text)
  return (text:gsub("%x%x ?", function(pair)
    return string.char(tonumber(pair:sub(1, 2), 16))
  end))
end

local function built(build)
  local buffer = ffi.new("struct peri_buffer")
  assert.equal(0, build(buffer))
  local text = cffi.string(C.peri_buffer_slice(buffer))
  C.peri_buffer_done(buffer)
  return text
end

local function request(text)
  local out = ffi.new("struct peri_pb_request")
  local rc = C.peri_pb_read_request(cffi.slice(text), out)
  return rc, out, text
end

describe("the messages of GroupCache", function()
  it("are those of the origin, byte for byte", function()
    local rc, get, text = request(hex("0a 06 73 63 6f 72 65 73 12 03 54 6f 6d"))
    assert.equal(0, rc)
    assert.equal("scores", cffi.string(get.group))
    assert.equal("Tom", cffi.string(get.key))
    assert.equal(1, tonumber(get.key_count))
    assert.is_not_nil(text)
    assert.equal(
      hex("0a 06 73 63 6f 72 65 73 12 03 54 6f 6d"),
      built(function(buffer)
        C.peri_pb_add_bytes(buffer, 1, cffi.slice("scores"))
        return C.peri_pb_add_bytes(buffer, 2, cffi.slice("Tom"))
      end)
    )
    local head = ffi.new("char[20]")
    assert.equal(hex("0a 03"), ffi.string(head, C.peri_pb_put_length(head, 1, 3)))
    assert.equal(0, tonumber(C.peri_pb_put_length(head, 1, 0)))
    assert.equal(0, tonumber(C.peri_pb_put_number(head, 3, 0)))
    assert.equal(hex("18 96 01"), ffi.string(head, C.peri_pb_put_number(head, 3, 150)))
    assert.equal(
      hex("18 ff ff ff ff ff ff ff ff ff 01"),
      ffi.string(head, C.peri_pb_put_number(head, 3, ffi.cast("uint64_t", -1LL)))
    )
  end)

  it("are read whatever their order, the last of a field counts", function()
    local rc, set, text = request(hex("1a 01 76 20 07 12 01 61 0a 01 67 12 01 62 20 96 01"))
    assert.equal(0, rc)
    assert.equal("g", cffi.string(set.group))
    assert.equal("b", cffi.string(set.key))
    assert.equal(2, tonumber(set.key_count))
    assert.equal("v", cffi.string(set.value))
    assert.equal(150, tonumber(set.expire_ns))
    local keys = ffi.new("struct peri_slice[2]")
    C.peri_pb_read_keys(cffi.slice(text), keys)
    assert.equal("a", cffi.string(keys[0]))
    assert.equal("b", cffi.string(keys[1]))
  end)

  it("may hold fields that are not known", function()
    -- Number 9 as fixed 64, fixed 32, varint and bytes; number 2 as a varint.
    local rc, get, text =
      request(hex("49 00 00 00 00 00 00 00 00 4d 00 00 00 00 48 05 4a 01 78 10 05 0a 01 67"))
    assert.equal(0, rc)
    assert.equal("g", cffi.string(get.group))
    assert.equal(0, tonumber(get.key_count))
    assert.is_not_nil(text)
  end)

  it("are refused when they are broken", function()
    for _, text in ipairs({
      "0a", "0a 05 61", "0a ff", "08 ff ff ff ff ff ff ff ff ff 02", "08 ff ff ff ff ff ff ff ff ff ff 01",
      "00 00", "02 00", "0b", "0c", "0e 00", "0f", "49 00 00", "4d 00", "ff ff ff ff ff 01 00",
      "0a ff ff ff ff ff ff ff ff ff 01",
    }) do
      assert.equal(C.PERI_EPROTO, (request(hex(text))), text)
    end
  end)

  it("survive any bytes", function()
    math.randomseed(7)
    for _ = 1, 20000 do
      local bytes = {}
      for i = 1, math.random(0, 24) do
        bytes[i] = string.char(math.random(0, 255))
      end
      local rc = request(table.concat(bytes))
      assert.is_true(rc == 0 or rc == C.PERI_EPROTO)
    end
  end)

  it("read answers", function()
    local value = ffi.new("struct peri_slice[1]")
    local expire = ffi.new("int64_t[1]", 5)
    local text = hex("0a 03 36 33 30 11 00 00 00 00 00 00 f0 3f 18 96 01")
    assert.equal(0, C.peri_pb_read_value(cffi.slice(text), value, expire))
    assert.equal("630", cffi.string(value[0]))
    assert.equal(150, tonumber(expire[0]))
    assert.equal(0, C.peri_pb_read_value(cffi.slice(""), value, expire))
    assert.equal(0, tonumber(value[0].len))
    assert.equal(0, tonumber(expire[0]))
    assert.equal(C.PERI_EPROTO, C.peri_pb_read_value(cffi.slice("\10"), value, expire))
    local removed = ffi.new("bool[1]", true)
    assert.equal(0, C.peri_pb_read_removed(cffi.slice(""), removed))
    assert.is_false(removed[0])
    assert.equal(0, C.peri_pb_read_removed(cffi.slice(hex("08 01")), removed))
    assert.is_true(removed[0])
    assert.equal(C.PERI_EPROTO, C.peri_pb_read_removed(cffi.slice("\8"), removed))
  end)

  it("write batch items without their defaults", function()
    local item = ffi.new("struct peri_pb_item", { key = cffi.slice("Tom"), value = cffi.slice("630") })
    assert.equal(
      hex("0a 0a 0a 03 54 6f 6d 12 03 36 33 30"),
      built(function(buffer)
        return C.peri_pb_add_item(buffer, item)
      end)
    )
    item.value = cffi.slice("")
    item.code = 5
    item.expire_ns = 1
    assert.equal(
      hex("0a 09 0a 03 54 6f 6d 18 01 20 05"),
      built(function(buffer)
        return C.peri_pb_add_item(buffer, item)
      end)
    )
    assert.equal(
      hex("0a 00"),
      built(function(buffer)
        return C.peri_pb_add_item(buffer, ffi.new("struct peri_pb_item"))
      end)
    )
  end)

  it("write list elements even when they are empty", function()
    assert.equal(
      hex("0a 00 0a 01 61"),
      built(function(buffer)
        C.peri_pb_add_element(buffer, 1, cffi.slice(""))
        return C.peri_pb_add_element(buffer, 1, cffi.slice("a"))
      end)
    )
  end)
end)
