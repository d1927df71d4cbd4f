local support = require("spec.plugins.support")

describe("the balancer round_robin", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  local function order(balancer, count)
    local turns = {}
    for i = 1, count do
      turns[i] = assert(balancer:pick())
    end
    return turns
  end

  it("takes turns", function()
    local balancer = support.balancer(script, "round_robin", nil, support.endpoints(5))
    local turns = order(balancer, 15)
    for i = 6, 15 do
      assert.equal(turns[i - 5], turns[i])
    end
    local shares = balancer:shares(1000)
    for i = 1, 5 do
      assert.equal(200, shares[balancer.addresses[i]])
    end
  end)

  it("spreads the turns of a heavy endpoint", function()
    local balancer = support.balancer(script, "round_robin", nil, { { "10.0.0.1:1", weight = 5 }, "10.0.0.2:1", "10.0.0.3:1" })
    local letters = {}
    for i, address in ipairs(order(balancer, 14)) do
      letters[i] = ({ "a", "b", "c" })[tonumber(address:match("(%d):"))]
    end
    assert.equal("aabacaaaabacaa", table.concat(letters))
  end)

  it("gives shares by weight", function()
    local balancer = support.balancer(script, "round_robin", nil, support.endpoints(4, function(i)
      return { weight = i * 3 - 2 }
    end))
    local shares = balancer:shares(2200)
    assert.same({ 100, 400, 700, 1000 }, {
      shares["10.0.0.1:1"],
      shares["10.0.0.2:1"],
      shares["10.0.0.3:1"],
      shares["10.0.0.4:1"],
    })
  end)

  it("leaves out what was tried", function()
    for _, weight in ipairs({ 1, 3 }) do
      local balancer = support.balancer(script, "round_robin", nil, support.endpoints(3, function(i)
        return { weight = i == 1 and weight or 1 }
      end))
      balancer:only({ "10.0.0.2:1", "10.0.0.3:1" })
      assert.same({ ["10.0.0.2:1"] = 50, ["10.0.0.3:1"] = 50 }, balancer:shares(100))
    end
  end)

  it("gives all others the same when one cannot be reached", function()
    for dead = 1, 4 do
      local balancer = support.balancer(script, "round_robin", nil, support.endpoints(4))
      local others = {}
      for i, address in ipairs(balancer.addresses) do
        others[#others + 1] = i ~= dead and address or nil
      end
      local answered = {}
      for _ = 1, 300 do
        local address = assert(balancer:pick())
        if address == balancer.addresses[dead] then
          balancer:only(others)
          address = assert(balancer:pick())
          balancer:only()
        end
        answered[address] = (answered[address] or 0) + 1
      end
      assert.same({ 100, 100, 100 }, { answered[others[1]], answered[others[2]], answered[others[3]] })
    end
  end)

  it("keeps turns when others come and go", function()
    local three = { { "10.0.0.1:1", weight = 5 }, "10.0.0.2:1", "10.0.0.3:1" }
    local balancer = support.balancer(script, "round_robin", nil, three)
    local shares = {}
    -- Each gets its share although there is an update before every call.
    for _ = 1, 700 do
      balancer:update(three)
      local address = assert(balancer:pick())
      shares[address] = (shares[address] or 0) + 1
    end
    assert.same({ ["10.0.0.1:1"] = 500, ["10.0.0.2:1"] = 100, ["10.0.0.3:1"] = 100 }, shares)
    assert.equal(0, balancer:update(support.endpoints(10)))
    shares = balancer:shares(1000)
    assert.equal(100, shares["10.0.0.1:1"])
    assert.equal(100, shares["10.0.0.10:1"])
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "round_robin", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "round_robin"))
  end)
end)
