local support = require("spec.core.model.decision_support")
local C, ffi = support.C, support.ffi

local function brief(decision)
  return support.written(function(text)
    return C.peri_decision_brief(decision, text)
  end)
end

local function span(ns)
  return support.written(function(text)
    return C.peri_decision_span(ns, text)
  end)
end

--- A text of the decision's own.
local function own(decision, words)
  return C.peri_decision_text(decision, support.slice(words))
end

describe("model/decision_words", function()
  it("tells spans of time", function()
    assert.equal("0.4 us", span(400))
    assert.equal("1.2 ms", span(1200000))
    assert.equal("35 ms", span(35000000))
    assert.equal("2.0 s", span(2000000000))
    assert.equal("5.0 min", span(300000000000))
    assert.equal("48 h", span(48 * 3600 * 1000000000))
    assert.equal("0.0 us", span(0))
  end)

  it("tells how a call's endpoint was chosen", function()
    local decision = support.new("call", {
      subject = "orders.v1.Orders/Get",
      attempt = 2,
      route = 2,
      found = 'route 2 matched: service "orders.v1.*"',
      service = "orders-canary",
      weight = 9,
      weights = 10,
      picked = true,
      policy = "p2c_ewma",
      version = 3,
      reason = "less to wait",
      took_ns = 400,
      chosen = "10.0.0.7:50051",
    })
    decision.missed[0] = own(decision, 'route 1 did not: authority is "a", not "b"')
    decision.missed_count, decision.missed_more = 1, 4
    support.candidates(decision, {
      { address = "10.0.0.7:50051", zone = "a", weight = 1, inflight = 2, latency_ns = 1200000, chosen = true },
      { address = "10.0.0.10:50051", zone = "b", weight = 5, failures = 1, tried = true },
      { address = "10.0.0.11:50051", weight = 1, failures = 2.5, suspect = true },
    })
    assert.equal(
      [[
orders.v1.Orders/Get  attempt 2
  route 2 matched: service "orders.v1.*"
    route 1 did not: authority is "a", not "b"
    nor did 4 more routes
  -> service orders-canary (weight 9 of 10)
  balancer p2c_ewma version 3 chose 10.0.0.7:50051 in 0.4 us: "less to wait"
    10.0.0.7:50051   zone a  weight 1  2 in flight  1.2 ms  0 failures  chosen
    10.0.0.10:50051  zone b  weight 5  0 in flight  -       1 failure   tried before
    10.0.0.11:50051  zone -  weight 1  0 in flight  -       2.5 failures  suspect
]],
      support.words(decision)
    )
    decision.status, decision.elapsed_ns = 14, 3000000
    assert.truthy(support.words(decision):find("\n  UNAVAILABLE after 3.0 ms\n$"))
  end)

  it("tells who chose when the policy did not", function()
    local decision = support.new("call", { subject = "a/b", picked = true, chosen = "h:1", trouble = "x.lua:3: boom" })
    assert.equal("a/b\n  the built-in round robin chose h:1\n  the policy did not say: x.lua:3: boom\n", support.words(decision))
    decision.policy, decision.older, decision.version = own(decision, "cheap"), true, 2
    local older = "balancer cheap version 2 (not the current one) chose h:1\n  its current version did not say: x.lua:3: boom\n"
    assert.truthy(support.words(decision):find(older, 1, true))
  end)

  it("tells that none was wanted, and why a call goes nowhere", function()
    local decision = support.new("call", { subject = "a/b", picked = true, policy = "mine", reason = "all are closed" })
    decision.outcome, decision.status = own(decision, "a: the balancer wants none"), 14
    assert.equal('a/b\n  balancer mine wants none: "all are closed"\n  a: the balancer wants none\n  UNAVAILABLE\n', support.words(decision))
    decision = support.new("call", { subject = "a/b", found = "nobody knows it", trouble = "out of memory" })
    assert.equal("a/b\n  nobody knows it\n  out of memory\n", support.words(decision))
  end)

  it("tells how the attempt before failed, and less where that is enough", function()
    local decision = support.new("call", {
      subject = "a/b",
      attempt = 2,
      after = "h:1: refused",
      found = "the authority names the service",
      service = "a",
      picked = true,
      chosen = "h:2",
      status = 0,
    })
    support.candidates(decision, { { address = "h:2", weight = 1, chosen = true } })
    assert.truthy(support.words(decision):find("^a/b  attempt 2 %(before: h:1: refused%)\n"))
    assert.equal("attempt 2: the built-in round robin chose h:2; OK\n", brief(decision))
  end)

  it("counts the endpoints that it does not show", function()
    local decision, list = support.new("call", { subject = "a/b" }), {}
    for i = 1, 70 do
      list[i] = { address = "h:" .. i, weight = 1 }
    end
    support.candidates(decision, list)
    local words = support.words(decision, 64)
    assert.truthy(words:find("    h:64  weight 1", 1, true))
    assert.truthy(words:find("\n    and 6 more\n", 1, true))
    decision.candidates[39].chosen = true
    words = support.words(decision, 3)
    assert.truthy(words:find("^a/b\n    h:1   weight 1 .*\n    h:2   weight 1 .*\n    h:40  weight 1 .*  chosen\n    and 67 more\n$"), words)
    assert.equal("a/b\n    and 70 more\n", support.words(decision, 0))
  end)

  it("tells what a Get of a key does", function()
    local decision = support.new("key", {
      subject = "countries",
      key = "germany",
      found = "not in the cache here",
      picked = true,
      policy = "ring_crc32",
      version = 1,
      chosen = "10.0.0.2:7402",
      outcome = "a Get asks the owner",
    })
    support.candidates(decision, {
      { address = "10.0.0.1:7402", zone = "a", weight = 1, self = true },
      { address = "10.0.0.2:7402", zone = "b", weight = 2, suspect = true, chosen = true, metadata = '{"version":"2"}' },
    })
    assert.equal(
      [[
group countries, key "germany"
  not in the cache here
  picker ring_crc32 version 1 chose 10.0.0.2:7402
    10.0.0.1:7402  zone a  weight 1  this sidecar
    10.0.0.2:7402  zone b  weight 2  {"version":"2"}  suspect  chosen
  a Get asks the owner
]],
      support.words(decision)
    )
    assert.equal('key "germany": not in the cache here; picker ring_crc32 version 1 chose 10.0.0.2:7402; a Get asks the owner\n', brief(decision))
    decision.policy = ffi.cast("const char *", "")
    assert.truthy(support.words(decision):find("  the built-in ring chose 10.0.0.2:7402\n", 1, true))
  end)
end)
