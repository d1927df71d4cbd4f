local M = require("spec.core.proxy.rig")

describe("proxy/count", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("counts calls by service and status, and how long they took", function()
    rig = M.rig({ without_want = true })
    local backend, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address)
    for _ = 1, 3 do
      rig.fetch("Echo", nil, "x")
    end
    backend.trailers = rig.text_for("grpc-status: 5\n")
    rig.fetch("Echo", nil, "x")
    rig.fetch("/shop.Shop/Echo", nil, "x")
    local name = "perigee_proxy_calls_total"
    assert.equal(3, rig.metric(name, 'service="orders.v1.Orders",code="OK"'))
    assert.equal(1, rig.metric(name, 'service="orders.v1.Orders",code="NOT_FOUND"'))
    assert.equal(1, rig.metric(name, 'service="",code="UNIMPLEMENTED"'))
    assert.equal(4, rig.metric("perigee_proxy_call_seconds_count", 'service="orders.v1.Orders"'))
    assert.equal(0, rig.metric("perigee_proxy_inflight"))
    assert.equal(0, rig.metric("perigee_proxy_retries_total", 'reason="goaway"'))
  end)

  it("bears names that make long labels", function()
    rig = M.rig({ without_want = true })
    local _, address = rig.backend(0)
    local name = ("\\\""):rep(150)
    rig.publish(name .. " " .. address)
    assert.equal(0, (rig.status(rig.fetch("Echo", { { "perigee-service", name } }, "x"))))
    local escaped = ("\\\\\\\""):rep(50)
    assert.equal(1, rig.metric("perigee_proxy_calls_total", ('service="%s",code="OK"'):format(escaped)))
  end)
end)
