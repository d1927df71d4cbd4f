local support = require("spec.examples.policies.support")
local s = support.s

describe("the balancer tenant_shards", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    s.clean()
  end)

  local function shards(members, count)
    return support.balancer(script, "tenant_shards", ("{%s}"):format(members or ""), support.endpoints(count or 20))
  end
  -- Which endpoints a tenant's calls reach.
  local function shard_of(balancer, tenant)
    balancer:header("x-tenant", tenant)
    local list = {}
    for address in pairs(balancer:shares(60)) do
      list[#list + 1] = address
    end
    table.sort(list)
    return list
  end

  it("gives a tenant a shard of its own, the same everywhere", function()
    local one, other = shards(), shards()
    local kinds, most = {}, 0
    for i = 1, 40 do
      local shard = shard_of(one, "tenant-" .. i)
      assert.equal(3, #shard)
      assert.same(shard, shard_of(other, "tenant-" .. i))
      local words = table.concat(shard, " ")
      kinds[words] = (kinds[words] or 0) + 1
      most = math.max(most, kinds[words])
    end
    -- Of 1,140 shards, three of forty tenants in one would be odd.
    assert.is_true(most <= 2, most)
    assert.equal("fewest in flight of the tenant's shard", select(2, one:pick()))
  end)

  it("moves few shards when an endpoint goes", function()
    local balancer = shards(nil, 20)
    local before, kept = {}, 0
    for i = 1, 40 do
      before[i] = shard_of(balancer, "tenant-" .. i)
    end
    local gone = "10.0.0.20:1"
    balancer:update(support.endpoints(19))
    for i = 1, 40 do
      local after = {}
      for _, address in ipairs(shard_of(balancer, "tenant-" .. i)) do
        after[address] = true
      end
      for _, address in ipairs(before[i]) do
        kept = kept + (after[address] and address ~= gone and 1 or 0)
      end
    end
    -- Of 120 places about six were at the one that went.
    assert.is_true(kept >= 105, kept)
  end)

  it("gives shards by weight", function()
    local list = support.endpoints(10, function(i)
      return { weight = i == 1 and 5 or 1 }
    end)
    local balancer = support.balancer(script, "tenant_shards", '{"size":1,"spill":0}', list)
    local heavy = 0
    for i = 1, 400 do
      heavy = heavy + (shard_of(balancer, "tenant-" .. i)[1] == "10.0.0.1:1" and 1 or 0)
    end
    assert.near(400 * 5 / 14, heavy, 40)
  end)

  it("spreads a tenant's calls within its shard, and lets them spill so far and no farther", function()
    local balancer = shards('"size":2,"spill":1,"load_bound":2', 10)
    balancer:header("x-tenant", "tom")
    local shares = balancer:shares(900, true)
    local counts = {}
    for _, count in pairs(shares) do
      counts[#counts + 1] = count
    end
    assert.equal(3, #counts)
    table.sort(counts)
    -- Twice a tenth of all, and half of what is left for either endpoint of its own.
    assert.near(180, counts[1], 5)
    assert.near(360, counts[2], 5)
    balancer:header("x-tenant", "ann")
    assert.equal(0, balancer:load((balancer:pick())).inflight)
  end)

  it("spills over only what is beyond the bound", function()
    local balancer = shards('"size":1,"spill":1,"load_bound":2', 4)
    balancer:header("x-tenant", "tom")
    local own = balancer:pick()
    for address, load in pairs(balancer.known) do
      load.inflight = address == own and 17 or 10
    end
    assert.equal("fewest in flight of the tenant's shard", select(2, balancer:pick()))
    balancer:load(own).inflight = 40
    local address, why = balancer:pick()
    assert.not_equal(own, address)
    assert.equal("the tenant's shard is full", why)
  end)

  it("tries no other endpoints than the tenant's own", function()
    local balancer = shards('"size":2,"spill":1', 10)
    local shard = shard_of(balancer, "tom")
    balancer:only({ shard[2] })
    assert.equal(shard[2], (balancer:pick()))
    local others = {}
    for _, address in ipairs(balancer.addresses) do
      if address ~= shard[1] and address ~= shard[2] then
        others[#others + 1] = address
      end
    end
    balancer:only(others)
    local spill, why = balancer:pick()
    assert.equal("the tenant's shard was tried", why)
    for i, address in ipairs(others) do
      if address == spill then
        table.remove(others, i)
      end
    end
    balancer:only(others)
    assert.same({ nil, s.ENOTFOUND, "the tenant's shard was tried" }, { balancer:pick() })
    assert.equal(0, script:errors("balancer", "tenant_shards"))
  end)

  it("gives calls without a tenant a shard, and long names one too", function()
    local balancer = shards()
    assert.equal(3, #shard_of(balancer, ""))
    assert.equal(3, #shard_of(balancer, ("x"):rep(10000)))
    local size = 0
    balancer:header("other", "x")
    for _ in pairs(balancer:shares(60)) do
      size = size + 1
    end
    assert.equal(3, size)
  end)

  it("remembers nothing of its tenants", function()
    local balancer = shards(nil, 20)
    local first = shard_of(balancer, "tenant-1")
    for i = 1, 20000 do
      balancer:header("x-tenant", "tenant-" .. i)
      assert(balancer:pick())
    end
    assert.same(first, shard_of(balancer, "tenant-1"))
    assert.equal(0, script:errors("balancer", "tenant_shards"))
  end)

  it("finds the small ones beside a very large one", function()
    local list = support.endpoints(4, function(i)
      return { weight = i == 1 and 60000 or 1 }
    end)
    local balancer = support.balancer(script, "tenant_shards", '{"size":3,"spill":1}', list)
    local shard = shard_of(balancer, "tom")
    assert.same({ 3, "10.0.0.1:1" }, { #shard, shard[1] })
    balancer:only({ "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1" })
    assert.truthy((balancer:pick()))
  end)

  it("takes all endpoints when there are few", function()
    local balancer = shards('"size":5', 3)
    assert.equal(3, #shard_of(balancer, "tom"))
    balancer:update({})
    assert.same({ nil, s.ENOTFOUND, "there are no endpoints" }, { balancer:pick() })
  end)

  it("refuses an edit that lets a tenant out", function()
    assert.same({ 0, "" }, { support.selftest("balancer", "tenant_shards") })
    local code, text = support.selftest("balancer", "tenant_shards", support.instead("fewest(self, list, 1, size, open)", "fewest(self, self.all, 1, #self.all, open)"))
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("a tenant reaches its shard, all of it and nothing else", 1, true), text)
  end)
end)
