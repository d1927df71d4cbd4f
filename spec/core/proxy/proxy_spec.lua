local M = require("spec.core.proxy.rig")
local C = M.C

describe("proxy/proxy", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("tells calls that name their service", function()
    rig = M.rig()
    local backend, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address)
    for _, case in ipairs({ { "orders", true }, { nil, false } }) do
      local extra = case[1] and { { "perigee-service", case[1] } }
      local call = C.proxy_call_open(rig.ptr, M.request("Hold", extra), false, true)
      rig.calls[#rig.calls + 1] = call
      rig.settle()
      C.proxy_call_reset(call, 8)
      rig.wait(call)
    end
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
