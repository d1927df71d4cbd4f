local M = require("spec.core.proxy.rig")

describe("proxy/proxy", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("tells calls that name their service", function()
    rig = M.rig({ without_want = true })
    local backend, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address)
    assert.equal(14, (rig.status(rig.fetch("Echo", { { "perigee-service", "orders" } }))))
    assert.equal(0, (rig.status(rig.fetch("Echo"))))
    assert.equal(1, backend.requests)
  end)

  it("goes from sidecar to sidecar to the application", function()
    local address = M.address()
    rig = M.rig({
      config = ('{"node":{"address":"127.0.0.1:7402"},"provides":[{"service":"orders","address":"%s"}]}'):format(address),
    })
    local backend = rig.backend(0, address)
    rig.publish("orders " .. M.ffi.string(rig.ptr.mesh_address) .. "*")
    local call = rig.fetch("Echo", { { ":authority", "orders" }, { "x-last", "1" } }, "hello")
    assert.equal("hello", rig.text(call.body))
    assert.equal(0, (rig.status(call)))
    assert.equal(M.request("Echo", { { ":authority", "orders" }, { "x-last", "1" } }), rig.text(backend.fields))
    assert.equal(0, rig.in_flight())
  end)

  it("carries many calls at once", function()
    rig = M.rig()
    local _, a = rig.backend(0)
    local _, b = rig.backend(1)
    rig.publish("orders.v1.Orders " .. a .. "," .. b)
    local calls = {}
    for i = 1, 600 do
      calls[i] = rig.open("Echo", nil, ("x"):rep(i))
    end
    for i, call in ipairs(calls) do
      rig.wait(call)
      assert.equal(i, tonumber(call.body.len))
      assert.equal(0, (rig.status(call)))
    end
    assert.equal(0, rig.in_flight())
  end)
end)
