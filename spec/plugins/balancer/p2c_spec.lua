local support = require("spec.plugins.support")

describe("the balancer p2c", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  it("is nearly even", function()
    local balancer = support.balancer(script, "p2c", nil, support.endpoints(10))
    for _, count in pairs(balancer:shares(2000, true)) do
      assert.near(200, count, 12)
    end
  end)

  it("honours weights", function()
    local balancer = support.balancer(script, "p2c", nil, support.endpoints(4, function(i)
      return { weight = i > 2 and 3 or 1 }
    end))
    local shares = balancer:shares(4000, true)
    -- Two light ones are drawn together at times, and then one of them is taken.
    assert.near(3, (shares["10.0.0.3:1"] + shares["10.0.0.4:1"]) / (shares["10.0.0.1:1"] + shares["10.0.0.2:1"]), 0.4)
  end)

  it("never takes the more loaded one of two", function()
    local balancer = support.balancer(script, "p2c", nil, support.endpoints(2))
    balancer:load("10.0.0.1:1").inflight = 1
    assert.same({ ["10.0.0.2:1"] = 50 }, balancer:shares(50))
  end)

  it("leaves out what was tried, and fills up newcomers", function()
    local balancer = support.balancer(script, "p2c", nil, support.endpoints(3))
    balancer:shares(300, true)
    balancer:only({ "10.0.0.2:1" })
    assert.same({ ["10.0.0.2:1"] = 10 }, balancer:shares(10))
    balancer:update(support.endpoints(4))
    -- It is one of two drawn half of the time.
    assert.near(500, balancer:shares(1000)["10.0.0.4:1"], 80)
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "p2c", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "p2c"))
  end)
end)
