local M = require("spec.core.etcd.rig")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "etcd/wire_shim.h" })

describe("etcd/wire", function()
  it("packs behind what a buffer holds", function()
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_buffer_add(buffer, "x", 1))
    assert.equal(0, C.shim_wire_pack(M.slice("key"), M.slice(""), buffer))
    assert.equal("x\10\3key", ffi.string(buffer.ptr, buffer.len))
    assert.equal(0, C.shim_wire_pack(M.slice(""), M.slice(""), buffer))
    assert.equal("x\10\3key", ffi.string(buffer.ptr, buffer.len))
    C.peri_buffer_done(buffer)
    -- Also an empty message into an empty buffer.
    assert.equal(0, C.shim_wire_pack(M.slice(""), M.slice(""), buffer))
    assert.equal(0, tonumber(buffer.len))
    C.peri_buffer_done(buffer)
  end)

  it("unpacks, and says what is no message", function()
    local buffer, error = ffi.new("struct peri_buffer"), ffi.new("struct peri_etcd_error")
    assert.is_true(C.shim_wire_unpack(M.slice("\10\1k\18\1v"), buffer, error))
    assert.equal("k=v", ffi.string(buffer.ptr, buffer.len))
    buffer.len = 0
    -- Unknown fields are passed over, and nothing at all is a message.
    assert.is_true(C.shim_wire_unpack(M.slice("\10\1k\186\62\1z"), buffer, error))
    assert.is_true(C.shim_wire_unpack(M.slice(""), buffer, error))
    for _, bytes in ipairs({ "\10\5k", "<html>", "\255\255\255" }) do
      assert.is_false(C.shim_wire_unpack(M.slice(bytes), buffer, error), bytes)
      assert.equal("garbage", ffi.string(C.peri_etcd_kind_name(error.kind)))
      assert.truthy(ffi.string(error.text):find("PutRequest", 1, true))
    end
    C.peri_buffer_done(buffer)
  end)

  it("takes no more memory than what etcd sends needs", function()
    local error = ffi.new("struct peri_etcd_error")
    -- As small as a record gets: key "k", revisions, version, no value.
    local record = "\10\1k\16\5\24\5\32\1"
    local kvs = ("\18" .. string.char(#record) .. record):rep(100000)
    assert.equal(100000, tonumber(C.shim_wire_range(M.slice(kvs), error)))
    -- Two bytes each, and a hundred in memory.
    assert.equal(-1, tonumber(C.shim_wire_range(M.slice(("\18\0"):rep(1000000)), error)))
    assert.equal("garbage", ffi.string(C.peri_etcd_kind_name(error.kind)))
  end)
end)
