local M = require("spec.core.registry.probe_support")
local uv = require("luv")
local C = M.C

describe("looking names up", function()
  it("finds this machine by its name", function()
    local name = uv.os_gethostname()
    local server = M.listen()
    local found = uv.getaddrinfo(name, nil, { socktype = "stream" })
    local loopback = false
    for _, address in ipairs(found or {}) do
      loopback = loopback or address.addr == "127.0.0.1"
    end
    local probe = M.probe(C.PERI_PROBE_TCP, name .. ":" .. server.port)
    local healthy, why = probe.change()
    -- Its name may stand for an address on which the spec does not listen.
    assert.equal(loopback, healthy)
    assert.is_true(healthy or #why > 0)
    probe.free()
    server.close()
  end)

  it("says what stands for nothing", function()
    local probe = M.probe(C.PERI_PROBE_TCP, "no-such-name.invalid:1", { timeout_ms = 5000, every_ms = 10 })
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.is_true(why:match("stands for no address") ~= nil or why:match("within 5000 ms") ~= nil, why)
    probe.free()
  end)

  it("can be given up while the resolver works", function()
    for i = 1, 20 do
      local probe = M.probe(C.PERI_PROBE_TCP, "no-such-name.invalid:1", { timeout_ms = 1, every_ms = 1 })
      for _ = 1, i do
        C.peri_loop_step(probe.rig.loop, 1)
      end
      probe.free()
    end
  end)
end)
