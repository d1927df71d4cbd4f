local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

describe("proxy/question", function()
  local rig
  after_each(function()
    rig.free()
  end)

  --- What would be decided, in words.
  local function ask(fields)
    local text = { service = "orders.v1.Orders", method = "Get", authority = "localhost:7400", named = "" }
    for name, value in pairs(fields or {}) do
      text[name] = value
    end
    local question, out = C.proxy_question_of(M.slice(text.header or "")), ffi.new("struct peri_decision *[1]")
    for _, name in ipairs({ "service", "method", "authority", "named" }) do
      question[name] = M.slice(text[name])
    end
    assert.equal(0, C.peri_proxy_explain(rig.ptr.proxy, question, out))
    local words = rig.words(out[0])
    C.peri_decision_unref(out[0])
    return words
  end

  it("decides as a call would, and sends nothing", function()
    rig = M.rig()
    local backend, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address)
    assert.equal(
      "orders.v1.Orders/Get  attempt 1\n"
        .. "  the call's gRPC service names the service\n"
        .. "  -> service orders.v1.Orders\n"
        .. ('  balancer p2c_ewma version 1 chose %s in T: "why"\n'):format(address)
        .. ("    %s  weight 1  0 in flight  -       0 failures  chosen\n"):format(address)
        .. "  nothing was sent\n",
      ask({ header = "why" })
    )
    rig.settle()
    assert.equal(0, backend.requests)
    assert.equal(0, backend.accepted)
    assert.same({}, rig.decisions())
  end)

  it("tells a balancer that its pick came to nothing", function()
    rig = M.rig()
    local _, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address)
    ask()
    assert.equal(1, rig.ptr.policy.picks)
    assert.equal(1, rig.ptr.policy.dones)
    assert.equal(C.PERI_STATUS_CANCELLED, rig.ptr.policy.outcome.status)
    assert.is_false(rig.ptr.policy.outcome.failed)
    rig.ptr.policy.pick = C.PERI_ENOTFOUND
    assert.truthy(ask():find("  UNAVAILABLE: the balancer wants none of 1 endpoints\n", 1, true))
    rig.ptr.policy.pick = C.PERI_ESCRIPT
    assert.truthy(ask():find("the built-in round robin chose", 1, true))
    assert.equal(1, rig.ptr.policy.dones)
  end)

  it("takes nobody's turn", function()
    rig = M.rig({ without_host = true })
    local a, b = rig.backend(0), rig.backend(1)
    rig.publish("orders.v1.Orders " .. ffi.string(a.address) .. "," .. ffi.string(b.address))
    local first = ask()
    assert.equal(first, ask())
    rig.fetch("Echo", nil, "x")
    assert.is_true(first ~= ask())
  end)

  it("follows routes, headers and names", function()
    rig = M.rig({
      config = [[{"registry":{"kind":"static","services":{}},"routes":[
        {"match":{"header":{"x-key":"canary"}},"to":"canary"}]}]],
    })
    local _, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address .. "\ncanary " .. address .. "\nby.host " .. address)
    assert.truthy(ask({ header = "canary" }):find('route 1 matched: header x-key = "canary"\n  -> service canary\n', 1, true))
    assert.truthy(ask():find("no route matches; the call's gRPC service", 1, true))
    assert.truthy(ask({ authority = "by.host:80" }):find("-> service by.host\n", 1, true))
    assert.truthy(ask({ named = "canary" }):find("-> service canary\n", 1, true))
  end)

  it("asks for what is not known, and says so", function()
    rig = M.rig({ config = '{"registry":{"kind":"etcd","endpoints":["127.0.0.1:1"]},"listen":{"mesh":"127.0.0.1:1"}}' })
    rig.publish("other 127.0.0.1:1")
    local words = ask({ authority = "pay.local:80" })
    assert.truthy(words:find('no service is known as "pay.local:80" or "orders.v1.Orders"\n', 1, true), words)
    assert.truthy(words:find("no endpoint of orders.v1.Orders is known; the registry is asked", 1, true), words)
    assert.equal("pay.local orders.v1.Orders ", ffi.string(rig.ptr.wanted))
    ask({ named = "mine" })
    assert.equal("pay.local orders.v1.Orders mine ", ffi.string(rig.ptr.wanted))
    rig.free()
    rig = M.rig({ without_want = true, config = '{"registry":{"kind":"static","services":{}},"routes":[{"match":{},"to":"away"}]}' })
    rig.publish("other 127.0.0.1:1")
    words = ask()
    assert.truthy(words:find("-> service away\n  UNAVAILABLE: no endpoint is known\n", 1, true), words)
  end)
end)
