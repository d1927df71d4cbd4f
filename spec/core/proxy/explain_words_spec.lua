local M = require("spec.core.proxy.rig")
local C = M.C

describe("proxy/explain_words", function()
  local rig
  after_each(function()
    rig.free()
  end)

  local function start(routes)
    rig = M.rig({ config = '{"registry":{"kind":"static","services":{}},"routes":[' .. routes .. "]}" })
    local _, address = rig.backend(0)
    return address
  end

  local function last()
    local kept = rig.decisions()
    return kept[#kept]
  end

  it("tells which route matched, which did not, and whose turn it was", function()
    local address = start([[
      {"match":{"authority":"pay.*"},"to":"pay"},
      {"match":{"service":"orders.v1.*","header":{"x-env":"canary"}},
       "to":[{"service":"orders-canary","weight":9},{"service":"orders-canary","weight":1}]}]])
    rig.publish("orders-canary " .. address)
    rig.fetch("Echo", { { "x-env", "canary" } }, "x")
    local words = last()
    assert.truthy(
      words:find(
        '\n  route 2 matched: service "orders.v1.*", header x-env = "canary"\n    route 1 did not: authority is "localhost:7400", not "pay.*"\n  -> service orders-canary (weight ',
        1,
        true
      ),
      words
    )
    assert.truthy(words:find("%(weight [19] of 10%)\n"), words)
  end)

  it("tells what names a service when no route does", function()
    local address = start('{"match":{"service":"pay"},"to":"pay"}')
    rig.publish("orders.v1.Orders " .. address .. "\nlocalhost:7400 " .. address .. "\nmine " .. address)
    rig.fetch("Echo", nil, "x")
    assert.truthy(last():find("no route matches; the authority names the service\n    route 1 did not", 1, true), last())
    rig.fetch("Echo", { { ":authority", "elsewhere" } }, "x")
    assert.truthy(last():find("no route matches; the call's gRPC service names the service", 1, true), last())
    rig.fetch("Echo", { { "perigee-service", "mine" } }, "x")
    assert.truthy(last():find("  the header perigee-service names the service\n  -> service mine\n", 1, true), last())
  end)

  it("counts the routes that it does not show", function()
    local routes = {}
    for i = 1, 12 do
      routes[i] = ('{"match":{"service":"s%d"},"to":"a"}'):format(i)
    end
    local address = start(table.concat(routes, ","))
    rig.publish("orders.v1.Orders " .. address)
    rig.fetch("Echo", nil, "x")
    assert.truthy(last():find('route 8 did not: service is "orders.v1.Orders", not "s8"\n    nor did 4 more routes\n', 1, true), last())
  end)

  it("tells that a balancer did not take the endpoints", function()
    local address = start("")
    rig.ptr.policy.take = C.PERI_ESCRIPT
    rig.publish("orders.v1.Orders " .. address)
    rig.fetch("Echo", nil, "x")
    assert.truthy(last():find("p2c_ewma: it did not take the endpoints", 1, true), last())
  end)

  it("tells that a balancer chose what it was not offered", function()
    local address = start("")
    rig.publish("orders.v1.Orders " .. address)
    rig.ptr.policy.pick = 77
    rig.fetch("Echo", nil, "x")
    assert.truthy(last():find("p2c_ewma: it chose an endpoint that it was not offered", 1, true), last())
  end)

  it("shows the chosen one among many", function()
    local address = start("")
    local list = { address }
    for i = 1, 13 do
      list[#list + 1] = "10.99.0.1:" .. 1000 + i
    end
    rig.publish("orders.v1.Orders " .. table.concat(list, ","))
    rig.ptr.policy.pick = 13
    rig.fetch("Echo", nil, "x")
    assert.truthy(last():find("    " .. address .. " +weight 1  0 in flight  %-       0 failures  chosen\n"), last())
  end)
end)
