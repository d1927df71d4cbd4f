local support = require("spec.plugins.support")

describe("the balancer zone_first", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  local function zones(options, near, far)
    local list = support.endpoints((near or 3) + (far or 3), function(i)
      return { zone = i <= (near or 3) and "a" or "b" }
    end)
    return support.balancer(script, "zone_first", options or '{"zone":"a","load_factor":4,"balancer":"least_inflight"}', list), list
  end
  local function in_zone(shares)
    return (shares["10.0.0.1:1"] or 0) + (shares["10.0.0.2:1"] or 0) + (shares["10.0.0.3:1"] or 0)
  end

  it("stays in the zone", function()
    local balancer = zones()
    local shares = balancer:shares(300)
    assert.equal(300, in_zone(shares))
    for i = 1, 3 do
      assert.near(100, shares[("10.0.0.%d:1"):format(i)], 50)
    end
    assert.equal("in the zone", (select(2, balancer:pick())))
  end)

  it("spills over what is too much for the zone", function()
    local balancer = zones()
    -- Up to four calls for each endpoint, nothing leaves.
    assert.equal(12, in_zone(balancer:shares(12, true)))
    local shares = balancer:shares(1200, true)
    local near, far = in_zone(shares) + 12, 1200 - in_zone(shares)
    assert.near(4, near / (far + 3), 0.1)
    balancer:load("10.0.0.1:1").inflight = 10000
    assert.equal("the zone is full", (select(2, balancer:pick())))
  end)

  it("leaves while half of the zone fails", function()
    local balancer, list = zones()
    local function fail(address)
      local load = balancer:load(address)
      load.recent, load.recent_at_ns = 20, 2 ^ 62
    end
    fail("10.0.0.1:1")
    balancer:update(list)
    assert.equal(100, in_zone(balancer:shares(100)))
    fail("10.0.0.3:1")
    balancer:update(list)
    assert.same({ nil, "the zone fails" }, { balancer:shares(50)["10.0.0.2:1"], (select(2, balancer:pick())) })
    balancer:load("10.0.0.3:1").recent = 0
    balancer:update(list)
    assert.equal(100, in_zone(balancer:shares(100)))
    list[2].suspect, list[3].suspect = true, true
    balancer:update(list)
    assert.equal(0, in_zone(balancer:shares(100)))
  end)

  it("leaves when nothing else is left", function()
    local balancer = zones()
    balancer:only({ "10.0.0.5:1" })
    assert.same({ "10.0.0.5:1", "none left in the zone" }, { balancer:pick() })
    balancer:update(support.endpoints(2, function()
      return { zone = "c" }
    end))
    assert.same({ nil, "none left in the zone" }, { balancer:shares(10)["10.0.0.3:1"], (select(2, balancer:pick())) })
  end)

  it("stays when there is nowhere to go", function()
    local balancer = zones(nil, 3, 0)
    for i = 1, 3 do
      local load = balancer:load(("10.0.0.%d:1"):format(i))
      load.recent, load.recent_at_ns, load.inflight = 50, 2 ^ 62, 1000
    end
    balancer:update(support.endpoints(3, function()
      return { zone = "a" }
    end))
    assert.equal(30, in_zone(balancer:shares(30)))
  end)

  it("uses newcomers of the zone", function()
    local balancer = zones(nil, 1, 3)
    balancer:update(support.endpoints(4, function(i)
      return { zone = i <= 3 and "a" or "b" }
    end))
    assert.near(100, balancer:shares(300)["10.0.0.2:1"], 50)
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "zone_first", '{"zone":"a"}', {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "zone_first"))
  end)
end)
