local support = require("spec.examples.policies.support")
local s = support.s

describe("the balancer cheap_zones", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    s.clean()
  end)

  local costs = '"costs":{"a":{"b":1},"c":{"a":4,"b":2}}'
  -- Two endpoints in each zone.
  local function zones(names, options)
    local list = support.endpoints(2 * #names, function(i)
      return { zone = names:sub(math.ceil(i / 2), math.ceil(i / 2)) }
    end)
    return support.balancer(script, "cheap_zones", ("{%s}"):format(options or '"zone":"a","room":4,' .. costs), list), list
  end
  local function by_zone(balancer, list, count, hold)
    local zone_of, sums = {}, {}
    for _, endpoint in ipairs(list) do
      zone_of[endpoint[1]] = endpoint.zone
    end
    for address, calls in pairs(balancer:shares(count, hold)) do
      sums[zone_of[address]] = (sums[zone_of[address]] or 0) + calls
    end
    return sums
  end

  it("stays where calls cost nothing while there is room", function()
    local balancer, list = zones("abc")
    assert.same({ a = 8 }, by_zone(balancer, list, 8, true))
    assert.equal("zone a at cost 0", select(2, balancer:pick()))
  end)

  it("spills over as far as the load is worth it", function()
    local balancer, list = zones("abc")
    -- Twice as full as it may be is as dear as b, five times as c.
    assert.same({ a = 16 }, by_zone(balancer, list, 16, true))
    assert.is_nil(by_zone(balancer, list, 20, true).c)
    assert.equal("zone b at cost 1, no room in a", select(2, balancer:pick()))
    -- In the end the prices are equal: as full as five times, two and a half times and once.
    local sums = by_zone(balancer, list, 1700 - 36, true)
    assert.near(200, sums.c, 10)
    assert.near(500 - 20, sums.b, 20)
  end)

  it("uses zones of which nothing is said last", function()
    local balancer, list = zones("bdc")
    assert.same({ b = 10 }, by_zone(balancer, list, 10))
    assert.equal("zone b at cost 1", select(2, balancer:pick()))
    balancer:only({ list[3][1], list[4][1] })
    assert.equal("zone d at cost 10, nothing is left to try in b", select(2, balancer:pick()))
  end)

  it("shares calls between zones that cost the same", function()
    local balancer, list = zones("bc", '"zone":"a","costs":{"a":{"b":1,"c":1}}')
    local sums = by_zone(balancer, list, 100, true)
    assert.same({ b = 50, c = 50 }, sums)
  end)

  it("leaves a zone of which half fails, unless all do", function()
    local balancer, list = zones("ab")
    support.fail(balancer, list[1][1], 9)
    balancer:update(list)
    assert.same({ b = 10 }, by_zone(balancer, list, 10))
    assert.equal("zone b at cost 1, half fails in a", select(2, balancer:pick()))
    list[3].suspect = true
    balancer:update(list)
    assert.same({ a = 10 }, by_zone(balancer, list, 10))
  end)

  it("takes weights for room", function()
    local list = { { "10.0.0.1:1", zone = "a", weight = 1 }, { "10.0.0.2:1", zone = "a", weight = 3 }, { "10.0.0.3:1", zone = "b", weight = 2 } }
    local balancer = support.balancer(script, "cheap_zones", '{"zone":"a","room":4,"costs":{"a":{"b":1}}}', list)
    -- Six units in three endpoints: a has room for 4 × 2, and is as dear as b with twice that.
    assert.same({ a = 16 }, by_zone(balancer, list, 16, true))
    assert.same({ b = 1 }, by_zone(balancer, list, 1, true))
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "cheap_zones", '{"zone":"a"}', {})
    assert.same({ nil, s.ENOTFOUND, "there are no endpoints" }, { balancer:pick() })
    assert.equal(0, script:errors("balancer", "cheap_zones"))
  end)

  it("says what is wrong with a cost", function()
    for options, words in pairs({
      ['{"zone":"a","costs":{"a":{"b":-1}}}'] = "costs.a.b: a number from 0 is expected",
      ['{"zone":"a","costs":{"a":5}}'] = "costs.a: a table of zones is expected",
      ["{}"] = "zone",
    }) do
      local made, code, text = support.balancers.make(script, "cheap_zones", options)
      assert.is_nil(made)
      assert.equal(s.ECONFIG, code)
      assert.truthy(text:find(words, 1, true), text)
    end
  end)

  it("refuses an edit that forgets the load or the failures", function()
    assert.same({ 0, "" }, { support.selftest("balancer", "cheap_zones") })
    for old, new in pairs({ ["(full > 1 and full or 1)"] = "1", ["careful and failing"] = "false and failing" }) do
      local code, text = support.selftest("balancer", "cheap_zones", support.instead(old, new))
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("cheap_zones.lua:%d+:"), text)
    end
  end)
end)
