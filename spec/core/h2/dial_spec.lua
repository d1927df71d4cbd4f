local M = require("spec.core.h2.rig")
local C, ffi = M.C, M.ffi

describe("h2/dial", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("tries every address of a name", function()
    -- localhost is ::1 first on most systems; only 127.0.0.1 listens.
    rig = M.rig()
    local port = rig.listen("127.0.0.1:0"):match("%d+$")
    assert.equal(0, rig.fetch("/echo", nil, "localhost:" .. port)["end"].code)
  end)

  it("connects over IPv6", function()
    rig = M.rig()
    local address = rig.listen("[::1]:0")
    assert.equal(0, rig.fetch("/echo", nil, address)["end"].code)
  end)

  it("fails a name that does not exist", function()
    rig = M.rig()
    local call = rig.fetch("/echo", nil, "no-such-host.invalid:1")
    assert.equal(C.PERI_ECONNECT, call["end"].code)
    assert.is_true(call["end"].unprocessed)
  end)

  it("fails a Unix socket that is not there", function()
    rig = M.rig()
    local call = rig.fetch("/echo", nil, "unix:/nonexistent/socket")
    assert.equal(C.PERI_ECONNECT, call["end"].code)
  end)

  it("gives up after the connect timeout", function()
    rig = M.rig({ pool = { connect_timeout_ms = 100 } })
    -- A listener whose queue is full lets nobody in.
    local fd = C.rig_full(rig.ptr)
    assert.is_true(fd >= 0)
    local call = rig.fetch("/echo", nil, ffi.string(rig.ptr.address))
    assert.equal(C.PERI_ECONNECT, call["end"].code)
    assert.is_true(call["end"].unprocessed)
    ffi.C.close(fd)
  end)

  it("is silent once the client is freed", function()
    rig = M.rig()
    local call = rig.open("/echo", nil, "no-such-host.invalid:1")
    rig.step(0)
    C.rig_client_free(rig.ptr)
    assert.equal(1, call.closes)
    assert.equal(C.PERI_ECLOSED, call["end"].code)
    for _ = 1, 5 do
      rig.step()
    end
    assert.equal(1, call.closes)
  end)
end)
