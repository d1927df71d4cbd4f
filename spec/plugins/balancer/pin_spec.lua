local support = require("spec.plugins.support")

describe("the balancer pin", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  local options = '{"header":"X-Session","ttl":"50ms","max":1000}'

  it("stays where it began", function()
    local balancer = support.balancer(script, "pin", '{"header":"x-session"}', support.endpoints(4))
    local before = support.owners(balancer, "x-session", 400)
    local shares = {}
    for _, address in pairs(before) do
      shares[address] = (shares[address] or 0) + 1
    end
    for i = 1, 4 do
      assert.near(100, shares[("10.0.0.%d:1"):format(i)], 40)
    end
    assert.same({ before["key-1 and more"], "the session's own" }, {
      (function()
        balancer:header("x-session", "key-1 and more")
        return balancer:pick()
      end)(),
    })
  end)

  it("begins at the same endpoint on every worker", function()
    local one = support.balancer(script, "pin", '{"header":"x-session"}', support.endpoints(5))
    local other = support.balancer(script, "pin", '{"header":"x-session"}', support.endpoints(5))
    assert.same(support.owners(one, "x-session", 100), support.owners(other, "x-session", 100))
  end)

  it("stays when others come, and moves when its own leaves", function()
    local balancer = support.balancer(script, "pin", '{"header":"x-session"}', support.endpoints(4))
    local before = support.owners(balancer, "x-session", 300)
    balancer:update(support.endpoints(8))
    assert.equal(0, (support.moved(before, support.owners(balancer, "x-session", 300))))
    balancer:update(support.endpoints(3))
    local function is_gone(address)
      return address == "10.0.0.4:1"
    end
    local moved, forced = support.moved(before, support.owners(balancer, "x-session", 300), is_gone)
    assert.equal(forced, moved)
    assert.is_true(moved > 0)
  end)

  it("moves for good when its own was tried", function()
    local balancer = support.balancer(script, "pin", '{"header":"x-session"}', support.endpoints(2))
    balancer:header("x-session", "a")
    local first = assert(balancer:pick())
    local second = first == "10.0.0.1:1" and "10.0.0.2:1" or "10.0.0.1:1"
    balancer:only({ second })
    assert.same({ second, "the session moves" }, { balancer:pick() })
    balancer:only()
    assert.same({ second, "the session's own" }, { balancer:pick() })
  end)

  it("forgets sessions that are not called", function()
    local balancer = support.balancer(script, "pin", options, support.endpoints(1))
    balancer:header("x-session", "a")
    assert.equal("a session begins", (select(2, balancer:pick())))
    assert.equal("the session's own", (select(2, balancer:pick())))
    balancer:header("x-session", "b")
    local clock = require("spec.support.ffi").load({ "base/clock.h" })
    local until_ns = clock.peri_clock_mono_ns() + 120000000
    while clock.peri_clock_mono_ns() < until_ns do
      balancer:pick()
    end
    assert.equal("the session's own", (select(2, balancer:pick())))
    balancer:header("x-session", "a")
    assert.equal("a session begins", (select(2, balancer:pick())))
  end)

  it("keeps no more sessions than it may", function()
    local balancer = support.balancer(script, "pin", '{"header":"x-session","max":100}', support.endpoints(1))
    support.owners(balancer, "x-session", 150)
    balancer:header("x-session", "key-1 and more")
    assert.equal("a session begins", (select(2, balancer:pick())))
    balancer:header("x-session", "key-149 and more")
    assert.equal("the session's own", (select(2, balancer:pick())))
    balancer:header("x-session", ("long"):rep(1000))
    assert.equal("a session begins", (select(2, balancer:pick())))
    assert.equal("the session's own", (select(2, balancer:pick())))
  end)

  it("sends calls without a session where least is in flight", function()
    local balancer = support.balancer(script, "pin", options, support.endpoints(2))
    balancer:load("10.0.0.1:1").inflight = 1
    assert.same({ "10.0.0.2:1", "no session: fewest in flight" }, { balancer:pick() })
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "pin", '{"header":"x-session"}', {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "pin"))
  end)
end)
