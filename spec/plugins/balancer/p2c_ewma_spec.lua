local support = require("spec.plugins.support")

describe("the balancer p2c_ewma", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  -- The latency of an endpoint, as of now.
  local function answer(balancer, address, ms)
    local load = balancer:load(address)
    load.ewma_ns, load.ewma_at_ns = ms * 1e6, 2 ^ 62
  end

  it("is nearly even among equals", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, support.endpoints(10))
    for _, address in ipairs(balancer.addresses) do
      answer(balancer, address, 5)
    end
    for _, count in pairs(balancer:shares(2000, true)) do
      assert.near(200, count, 12)
    end
  end)

  it("sends less to the slow and more to the heavy", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, { "10.0.0.1:1", "10.0.0.2:1", { "10.0.0.3:1", weight = 2 } })
    answer(balancer, "10.0.0.1:1", 40)
    answer(balancer, "10.0.0.2:1", 10)
    answer(balancer, "10.0.0.3:1", 10)
    local shares = balancer:shares(1300, true)
    assert.near(100, shares["10.0.0.1:1"], 10)
    assert.near(400, shares["10.0.0.2:1"], 20)
    assert.near(800, shares["10.0.0.3:1"], 30)
  end)

  it("gives newcomers one call until they answer", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, support.endpoints(2))
    answer(balancer, "10.0.0.1:1", 5)
    assert.equal("10.0.0.2:1", (balancer:pick()))
    balancer:load("10.0.0.2:1").inflight = 1
    assert.same({ ["10.0.0.1:1"] = 100 }, balancer:shares(100, true))
  end)

  it("shuns what fails fast", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, support.endpoints(2))
    answer(balancer, "10.0.0.1:1", 5)
    answer(balancer, "10.0.0.2:1", 1)
    assert.equal("10.0.0.2:1", (balancer:pick()))
    local load = balancer:load("10.0.0.2:1")
    load.recent, load.recent_at_ns = 10, 2 ^ 62
    assert.same({ ["10.0.0.1:1"] = 20 }, balancer:shares(20))
  end)

  it("leaves out what was tried, and remembers loads when others come", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, support.endpoints(3))
    for i, address in ipairs(balancer.addresses) do
      answer(balancer, address, i == 1 and 1 or 50)
    end
    balancer:only({ "10.0.0.2:1" })
    assert.same({ ["10.0.0.2:1"] = 10 }, balancer:shares(10))
    balancer:update(support.endpoints(2))
    assert.same({ ["10.0.0.1:1"] = 10 }, balancer:shares(10))
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "p2c_ewma", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "p2c_ewma"))
  end)
end)
