local support = require("spec.plugins.support")

describe("the balancer random", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  it("is even", function()
    local shares = support.balancer(script, "random", nil, support.endpoints(4)):shares(8000)
    for i = 1, 4 do
      assert.near(2000, shares[("10.0.0.%d:1"):format(i)], 250)
    end
  end)

  it("honours weights", function()
    local balancer = support.balancer(script, "random", nil, support.endpoints(3, function(i)
      return { weight = i * i }
    end))
    local shares = balancer:shares(14000)
    for i = 1, 3 do
      assert.near(1000 * i * i, shares[("10.0.0.%d:1"):format(i)], 350)
    end
    balancer:only({ "10.0.0.1:1", "10.0.0.2:1" })
    shares = balancer:shares(5000)
    assert.near(1000, shares["10.0.0.1:1"], 200)
    assert.is_nil(shares["10.0.0.3:1"])
  end)

  it("leaves out what was tried", function()
    local balancer = support.balancer(script, "random", nil, support.endpoints(3))
    balancer:only({ "10.0.0.2:1" })
    assert.same({ ["10.0.0.2:1"] = 20 }, balancer:shares(20))
  end)

  it("uses new endpoints, and none that left", function()
    local balancer = support.balancer(script, "random", nil, { "10.0.0.1:1", { "10.0.0.2:1", weight = 2 } })
    balancer:update({ { "10.0.0.2:1", weight = 2 }, { "10.0.0.3:1", weight = 2 } })
    local shares = balancer:shares(2000)
    assert.is_nil(shares["10.0.0.1:1"])
    assert.near(1000, shares["10.0.0.2:1"], 150)
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "random", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "random"))
  end)
end)
