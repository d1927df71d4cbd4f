local support = require("spec.plugins.support")

describe("the balancer least_inflight", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  it("fills endpoints up to the same level", function()
    local balancer = support.balancer(script, "least_inflight", nil, support.endpoints(5))
    balancer:load("10.0.0.2:1").inflight = 100
    balancer:shares(400, true)
    for i = 1, 5 do
      assert.equal(100, balancer:load(("10.0.0.%d:1"):format(i)).inflight)
    end
  end)

  it("honours weights", function()
    local balancer = support.balancer(script, "least_inflight", nil, support.endpoints(3, function(i)
      return { weight = i }
    end))
    local shares = balancer:shares(600, true)
    for i = 1, 3 do
      assert.near(100 * i, shares[("10.0.0.%d:1"):format(i)], 3)
    end
  end)

  it("shares among idle endpoints", function()
    local shares = support.balancer(script, "least_inflight", nil, support.endpoints(4)):shares(4000)
    for i = 1, 4 do
      assert.near(1000, shares[("10.0.0.%d:1"):format(i)], 180)
    end
  end)

  it("leaves out what was tried, and fills up newcomers", function()
    local balancer = support.balancer(script, "least_inflight", nil, support.endpoints(3))
    balancer:shares(30, true)
    balancer:only({ "10.0.0.1:1", "10.0.0.3:1" })
    assert.is_nil(balancer:shares(20)["10.0.0.2:1"])
    balancer:update(support.endpoints(4))
    assert.same({ ["10.0.0.4:1"] = 10 }, balancer:shares(10, true))
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "least_inflight", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "least_inflight"))
  end)
end)
