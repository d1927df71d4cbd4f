local support = require("spec.plugins.support")

describe("the balancer subset", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  local function subset(options, count)
    return support.balancer(script, "subset", options, support.endpoints(count))
  end
  local function members(balancer, size)
    local seen, count = {}, 0
    for address in pairs(balancer:shares(size * 40)) do
      seen[address], count = true, count + 1
    end
    return seen, count
  end

  it("calls so many endpoints and no others", function()
    local _, count = members(subset('{"size":5,"client":3,"balancer":"round_robin"}', 40), 5)
    assert.equal(5, count)
    _, count = members(subset('{"size":5,"balancer":"round_robin"}', 3), 5)
    assert.equal(3, count)
  end)

  it("gives every endpoint as many clients", function()
    local clients = {}
    for client = 0, 39 do
      local options = ('{"size":5,"client":%d,"balancer":"round_robin"}'):format(client)
      for address in pairs(members(subset(options, 20), 5)) do
        clients[address] = (clients[address] or 0) + 1
      end
    end
    for i = 1, 20 do
      assert.equal(10, clients[("10.0.0.%d:1"):format(i)])
    end
  end)

  it("is the same on every worker", function()
    local options = '{"size":5,"client":12,"balancer":"round_robin"}'
    assert.same(members(subset(options, 30), 5), members(subset(options, 30), 5))
  end)

  it("hardly changes when an endpoint comes or goes", function()
    local kept = 0
    for client = 0, 9 do
      local balancer = subset(('{"size":5,"client":%d,"balancer":"round_robin"}'):format(client), 33)
      local before = members(balancer, 5)
      balancer:update(support.endpoints(32))
      for address in pairs(members(balancer, 5)) do
        kept = kept + (before[address] and 1 or 0)
      end
    end
    -- At most one of five moves at either end of a subset.
    assert.is_true(kept >= 38, kept)
  end)

  it("goes beyond the subset when that is tried", function()
    local balancer = subset('{"size":2,"client":0,"balancer":"round_robin"}', 4)
    local own, others = members(balancer, 2), {}
    for _, address in ipairs(balancer.addresses) do
      others[#others + 1] = not own[address] and address or nil
    end
    balancer:only(others)
    local address, why = balancer:pick()
    assert.is_nil(own[address])
    assert.equal("none of the subset is left", why)
  end)

  it("balances as it is told", function()
    local balancer = subset('{"size":4,"client":1,"balancer":"least_inflight"}', 12)
    for _, count in pairs(balancer:shares(400, true)) do
      assert.equal(100, count)
    end
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "subset", nil, {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "subset"))
  end)
end)
