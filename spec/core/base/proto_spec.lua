local cffi = require("spec.support.ffi")
local ffi = require("ffi")

ffi.cdef([[
typedef struct ProtobufCMessage { const void *descriptor; unsigned unknown_count; void *unknown; } base_t;
struct ProtobufCBinaryData { size_t len; uint8_t *data; };
struct shim_check_request { base_t base; struct ProtobufCBinaryData service; };
void grpc__health__v1__health_check_request__init(struct shim_check_request *message);
]])

local C = cffi.load({ "base/buffer.h", "base/proto.h" })

describe("base/proto", function()
  local buffer, request
  before_each(function()
    buffer = ffi.new("struct peri_buffer")
    request = ffi.new("struct shim_check_request")
    C.grpc__health__v1__health_check_request__init(request)
  end)
  after_each(function()
    C.peri_buffer_done(buffer)
  end)

  it("appends packed messages", function()
    request.service = C.peri_proto_text("orders")
    assert.equal(0, C.peri_proto_pack(request.base, buffer))
    assert.equal(0, C.peri_proto_pack(request.base, buffer))
    assert.equal(("\10\6orders"):rep(2), cffi.string(C.peri_buffer_slice(buffer)))
  end)

  it("has bytes for a message without any", function()
    assert.equal(0, C.peri_proto_pack(request.base, buffer))
    assert.equal(0, tonumber(buffer.len))
    assert.is_true(buffer.ptr ~= nil)
  end)

  it("borrows both ways", function()
    assert.equal("a\0b", cffi.string(C.peri_proto_slice(C.peri_proto_bytes(cffi.slice("a\0b")))))
    assert.equal(0, tonumber(C.peri_proto_text(nil).len))
    local none = C.peri_proto_slice(ffi.new("struct ProtobufCBinaryData"))
    assert.equal(0, tonumber(none.len))
    assert.is_true(none.ptr ~= nil)
  end)
end)
