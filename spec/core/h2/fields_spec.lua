local M = require("spec.core.h2.rig")
local C, ffi, frames = M.C, M.ffi, M.frames

describe("h2/fields", function()
  local rig, peer
  local function start(server)
    rig = M.rig({ server = server })
    peer = rig.raw()
    peer.greet()
  end
  after_each(function()
    rig.free()
  end)

  local function request(extra)
    peer.request(1, "/hold", extra, true)
    assert.is_true(rig.until_true(function()
      return rig.ptr.last ~= nil
    end))
    return rig.ptr.last
  end

  it("keeps every field in order, also those of one name", function()
    start()
    local extra = {}
    for i = 1, 40 do
      extra[i] = { "x-many", "value " .. i, i % 2 == 0 }
    end
    -- frames.request() keeps one of a name, so these come as trailers do: appended by hand.
    local block = frames.request("/hold") .. frames.block(extra)
    peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, block))
    assert.is_true(rig.until_true(function()
      return rig.ptr.last ~= nil
    end))
    local out = ffi.new("const struct peri_h2_field *[1]")
    local count = tonumber(C.peri_h2_stream_fields(rig.ptr.last, out))
    assert.equal(46, count)
    assert.equal(":method", ffi.string(out[0][0].name.ptr, out[0][0].name.len))
    for i = 1, 40 do
      local value = out[0][5 + i].value
      assert.equal(i % 2 == 1, out[0][5 + i].secret)
      assert.equal("value " .. i, ffi.string(value.ptr, value.len))
    end
  end)

  it("finds the first of a name, and nothing by a part of it", function()
    start()
    local stream = request({ { "x-one", "1" }, { "x-empty-", "-" } })
    local value = ffi.new("struct peri_slice")
    assert.is_true(C.peri_h2_stream_header(stream, "x-one", value))
    assert.equal("1", ffi.string(value.ptr, value.len))
    assert.is_false(C.peri_h2_stream_header(stream, "x-on", value))
    assert.is_false(C.peri_h2_stream_header(stream, "x-ones", value))
    assert.is_false(C.peri_h2_stream_trailer(stream, "x-one", value))
  end)

  it("counts 32 bytes beyond name and value for each field", function()
    local fields = {
      { ":method", "POST" },
      { ":scheme", "http" },
      { ":path", "/early" },
      { ":authority", "localhost" },
    }
    local bytes = 0
    for _, field in ipairs(fields) do
      bytes = bytes + #field[1] + #field[2] + 32
    end
    start({ header_list_bytes = bytes })
    peer.send(frames.frame(frames.HEADERS, 5, 1, frames.block(fields)))
    assert.is_true(peer.wait(frames.HEADERS, 1) ~= nil)
    assert.equal(1, rig.ptr.requests)
    fields[3][2] = "/earlyx"
    peer.send(frames.frame(frames.HEADERS, 5, 3, frames.block(fields)))
    assert.is_true(peer.wait(frames.HEADERS, 3) ~= nil)
    assert.equal(1, rig.ptr.requests)
  end)
end)
