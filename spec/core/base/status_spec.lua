local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/status.h", "base/error.h" })

describe("base/status", function()
  it("names all of gRPC's codes", function()
    local names = {}
    for code = 0, 16 do
      names[#names + 1] = ffi.string(C.peri_status_name(code))
    end
    assert.equal(
      "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS "
        .. "PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE "
        .. "UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED",
      table.concat(names, " ")
    )
  end)

  it("calls other codes UNKNOWN", function()
    assert.equal("UNKNOWN", ffi.string(C.peri_status_name(17)))
    assert.equal("UNKNOWN", ffi.string(C.peri_status_name(-1)))
  end)

  it("maps its own errors", function()
    for error, status in pairs({
      PERI_ENOTFOUND = "NOT_FOUND",
      PERI_ETIMEOUT = "DEADLINE_EXCEEDED",
      PERI_ECANCELED = "CANCELLED",
      PERI_ELIMIT = "RESOURCE_EXHAUSTED",
      PERI_EINVAL = "INVALID_ARGUMENT",
      PERI_ECONNECT = "UNAVAILABLE",
      PERI_ECLOSED = "UNAVAILABLE",
      PERI_EREFUSED = "UNAVAILABLE",
      PERI_EBUSY = "UNAVAILABLE",
      PERI_EUNSUPPORTED = "UNIMPLEMENTED",
      PERI_EPERM = "PERMISSION_DENIED",
      PERI_EEXIST = "ALREADY_EXISTS",
      PERI_ESCRIPT = "UNKNOWN",
      PERI_ENOMEM = "INTERNAL",
      PERI_EPROTO = "INTERNAL",
      PERI_ECONFIG = "INTERNAL",
      PERI_EIO = "INTERNAL",
    }) do
      assert.equal(status, ffi.string(C.peri_status_name(C.peri_status_of(C[error]))), error)
    end
    assert.equal(C.PERI_STATUS_OK, C.peri_status_of(0))
  end)

  it("maps libuv's connection errors to UNAVAILABLE and the rest to INTERNAL", function()
    for _, errno in ipairs({ 111, 104, 103, 32, 113, 101, 110, 107, 3008, 4095 }) do
      assert.equal(C.PERI_STATUS_UNAVAILABLE, C.peri_status_of(-errno), tostring(errno))
    end
    assert.equal(C.PERI_STATUS_CANCELLED, C.peri_status_of(-125))
    assert.equal(C.PERI_STATUS_INTERNAL, C.peri_status_of(-2))
    assert.equal(C.PERI_STATUS_INTERNAL, C.peri_status_of(-99999))
  end)
end)
