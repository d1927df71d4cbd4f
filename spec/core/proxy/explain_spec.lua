local M = require("spec.core.proxy.rig")
local C = M.C

local WHY = { "perigee-explain", "1" }

describe("proxy/explain", function()
  local rig
  after_each(function()
    rig.free()
  end)

  local function start(options, names)
    rig = M.rig(options)
    local backend, address = rig.backend(0)
    backend.head = rig.text_for(":status: 200\ncontent-type: application/grpc\n")
    backend.trailers = rig.text_for("grpc-status: 0\nx-last: 1\n")
    rig.publish((names or "orders.v1.Orders") .. " " .. address)
    return backend, address
  end

  --- The explanation that a call got, and its other trailers.
  local function told(call)
    local lines, rest = {}, {}
    local text = rig.text(call.trailers)
    text = text ~= "" and text or rig.head(call)
    for name, value in text:gmatch("([^\n]-): ([^\n]*)\n") do
      if name == "perigee-explain" then
        lines[#lines + 1] = value:gsub("[%d.]+ [um]?s%f[%A]", "T"):gsub("T +", "T ")
      else
        rest[#rest + 1] = name .. "=" .. value
      end
    end
    return lines, table.concat(rest, " ")
  end

  it("keeps what was decided about a call, and how it went", function()
    local _, address = start()
    rig.fetch("Echo", { { "x-key", "because" } }, "x")
    assert.same({
      "orders.v1.Orders/Echo  attempt 1\n"
        .. "  the call's gRPC service names the service\n"
        .. "  -> service orders.v1.Orders\n"
        .. ("  balancer p2c_ewma version 1 chose %s in T: \"because\"\n"):format(address)
        .. ("    %s  weight 1  0 in flight  -       0 failures  chosen\n"):format(address)
        .. "  OK\n",
    }, { (rig.decisions()[1]:gsub("OK after T", "OK")) })
  end)

  it("tells a caller who asks, behind the trailers", function()
    local backend, address = start()
    local lines, rest = told(rig.fetch("Echo", { WHY }, "x"))
    assert.equal("grpc-status=0 x-last=1", rest)
    assert.equal("orders.v1.Orders/Echo  attempt 1", lines[1])
    assert.equal(("balancer p2c_ewma version 1 chose %s in T"):format(address), lines[4])
    assert.truthy(lines[#lines]:find("^OK"))
    assert.is_nil(rig.text(backend.fields):find("perigee-explain", 1, true))
    lines, rest = told(rig.fetch("Echo", nil, "x"))
    assert.same({}, lines)
    assert.equal("grpc-status=0 x-last=1", rest)
    assert.same({}, (told(rig.fetch("Echo", { { "perigee-explain", "0" } }, "x"))))
  end)

  it("tells with headers alone", function()
    local backend = start()
    backend.trailers = rig.text_for(":status: 200\ncontent-type: application/grpc\ngrpc-status: 5\n")
    local lines, rest = told(rig.fetch("Only", { WHY }, "x"))
    assert.equal("orders.v1.Orders/Only  attempt 1", lines[1])
    assert.truthy(lines[#lines]:find("^NOT_FOUND"))
    assert.equal(":status=200 content-type=application/grpc grpc-status=5", rest)
  end)

  it("tells why a call goes nowhere", function()
    start()
    rig.ptr.policy.pick = C.PERI_ENOTFOUND
    local call = rig.fetch("Echo", { WHY, { "x-key", "all are tired" } }, "x")
    local lines = told(call)
    assert.equal(14, (rig.status(call)))
    assert.equal('balancer p2c_ewma version 1 wants none in T: "all are tired"', lines[4])
    assert.equal("orders.v1.Orders: the balancer wants none of 1 endpoints", lines[6])
    assert.truthy(lines[7]:find("^UNAVAILABLE"))
    call = rig.fetch("/no.such.Service/Get", { WHY, { "grpc-timeout", "50m" } }, "x")
    assert.truthy(rig.status(call) ~= 0)
    assert.equal("no.such.Service/Get", told(call)[1])
  end)

  it("tells what went wrong at each attempt", function()
    rig = M.rig()
    local a, b = rig.dead(), rig.dead()
    rig.publish("orders.v1.Orders " .. a .. "," .. b)
    a = a < b and a or b
    local call = rig.fetch("Echo", { WHY }, "x")
    local lines = table.concat(told(call), "\n")
    assert.truthy(lines:find("^attempt 1: balancer p2c_ewma version 1 chose [^\n]*; " .. a .. ": [^\n]*refused\n"), lines)
    assert.truthy(lines:find("\norders.v1.Orders/Echo  attempt 2\n", 1, true), lines)
    assert.truthy(lines:find("tried before\n", 1, true), lines)
    assert.truthy(lines:find("\nUNAVAILABLE[^\n]*$"), lines)
    assert.equal(2, #rig.decisions())
  end)

  it("tells of the last attempts when there were many", function()
    rig = M.rig()
    local list = {}
    for i = 1, 20 do
      list[i] = rig.dead()
    end
    rig.publish("orders.v1.Orders " .. table.concat(list, ","))
    rig.fetch("Echo", nil, "x")
    local kept = rig.decisions()
    assert.equal("orders.v1.Orders/Echo  attempt 20", kept[#kept]:match("^[^\n]*"))
    assert.is_nil(kept[#kept - 1]:find("UNAVAILABLE", 1, true), "attempt 16 is not how it ended")
    local lines = told(rig.fetch("Echo", { WHY }, "x"))
    assert.equal("attempts 1 to 12 failed, too", lines[1])
    assert.truthy(lines[2]:find("^attempt 13: .*; 127.0.0.1:%d+: [^\n]*refused$"), lines[2])
    assert.equal("orders.v1.Orders/Echo  attempt 20", lines[9])
    local chosen = lines[12]:match("chose (%S+)")
    assert.truthy(lines[#lines - 1]:find("^orders.v1.Orders: " .. chosen .. ": "), lines[#lines - 1])
  end)

  it("tells which attempt came before when that one is not kept", function()
    rig = M.rig()
    local a = rig.dead()
    local _, b = rig.backend(0)
    rig.publish("orders.v1.Orders " .. a .. "," .. b)
    rig.ptr.decisions.ordinary_ns = -1ULL
    rig.ptr.policy.pick = a < b and 0 or 1
    rig.fetch("Echo", nil, "x")
    local kept = rig.decisions()
    assert.equal(1, #kept)
    assert.truthy(kept[1]:find("^orders.v1.Orders/Echo  attempt 2 %(before: " .. a .. ": [^\n]*%)\n"), kept[1])
  end)

  it("keeps ordinary calls now and then, and trouble apart", function()
    start()
    for _ = 1, 50 do
      rig.fetch("Echo", nil, "x")
    end
    assert.is_true(#rig.decisions() <= 32)
    rig.ptr.decisions.ordinary_ns = -1ULL
    rig.ptr.policy.pick = C.PERI_ESCRIPT
    rig.fetch("Echo", nil, "x")
    local kept = rig.decisions()
    assert.truthy(kept[#kept]:find("the built-in round robin chose", 1, true), kept[#kept])
    assert.truthy(kept[#kept]:find("did not say: p2c_ewma: it failed", 1, true), kept[#kept])
  end)

  it("keeps nothing without a place for it", function()
    start()
    rig.ptr.decisions.ordinary_ns, rig.ptr.decisions.trouble_ns = -1ULL, -1ULL
    rig.ptr.policy.pick = C.PERI_ENOTFOUND
    rig.fetch("Echo", nil, "x")
    assert.same({}, rig.decisions())
    assert.truthy(#told(rig.fetch("Echo", { WHY }, "x")) > 3)
    assert.same({}, rig.decisions())
  end)

  it("tells nobody on the mesh, unless that is configured", function()
    local _, address = start({ config = '{"registry":{"kind":"static","services":{}}}' })
    assert.equal(0, C.peri_proxy_provide(rig.ptr.proxy, M.slice("orders.v1.Orders"), M.slice(address)))
    assert.same({}, (told(rig.fetch("Echo", { WHY }, "x", true))))
    rig.free()
    _, address = start({ config = '{"registry":{"kind":"static","services":{}},"explain":["mesh"]}' })
    assert.equal(0, C.peri_proxy_provide(rig.ptr.proxy, M.slice("orders.v1.Orders"), M.slice(address)))
    local lines = told(rig.fetch("Echo", { WHY }, "x", true))
    assert.equal("from the mesh: provided here", lines[2])
    assert.equal("the built-in round robin chose " .. address, (lines[4]))
    assert.same({}, (told(rig.fetch("Echo", { WHY }, "x"))))
    lines = told(rig.fetch("Echo", { WHY, { ":authority", "else" }, { "perigee-service", "else" } }, "x", true))
    assert.equal("from the mesh: no such service is provided here", lines[2])
  end)

  it("stays within what the caller takes", function()
    start({ caller_limits = { header_list_bytes = 1000 } })
    local call = rig.fetch("Echo", { WHY }, "x")
    local lines, rest = told(call)
    assert.equal("grpc-status=0 x-last=1", rest)
    assert.is_true(#lines > 0 and #lines < 6)
  end)
end)
