local support = require("spec.plugins.support")

describe("the balancer consistent_hash", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    support.s.clean()
  end)

  local function hashing(options, count, each)
    return support.balancer(script, "consistent_hash", options or '{"by":"header:x-user"}', support.endpoints(count or 10, each))
  end

  for _, kind in ipairs({ "maglev", "ring" }) do
    it("spreads keys with a " .. kind, function()
      local owners = support.owners(hashing(('{"by":"header:x-user","table":"%s"}'):format(kind)), "x-user", 5000)
      local shares = {}
      for _, address in pairs(owners) do
        shares[address] = (shares[address] or 0) + 1
      end
      for i = 1, 10 do
        assert.near(500, shares[("10.0.0.%d:1"):format(i)], kind == "ring" and 200 or 90)
      end
    end)

    it("moves few keys when endpoints come and go, with a " .. kind, function()
      local balancer = hashing(('{"by":"header:x-user","table":"%s"}'):format(kind))
      local before = support.owners(balancer, "x-user", 3000)
      assert.same(before, support.owners(balancer, "x-user", 3000))
      balancer:update(support.endpoints(9))
      local moved, forced = support.moved(before, support.owners(balancer, "x-user", 3000), function(address)
        return address == "10.0.0.10:1"
      end)
      assert.is_true(moved >= forced and moved <= forced + 3000 * 0.06, moved .. " of " .. forced)
      balancer:update(support.endpoints(10))
      assert.same(before, support.owners(balancer, "x-user", 3000))
    end)
  end

  it("reads keys from metadata and from fields", function()
    local byte = hashing('{"by":"metadata:X-Trace-Bin"}')
    byte:header("x-trace-bin", "aGVsbG8")
    local owner = byte:pick()
    byte:header("x-trace-bin", "aGVsbG8=")
    assert.same({ owner, "the key's owner" }, { byte:pick() })
    local seen, field = {}, hashing('{"by":"field:2.1"}')
    for i = 1, 100 do
      field:body("\0\0\0\0\6\18\4\10\2" .. ("%02d"):format(i % 20))
      local address = assert(field:pick())
      assert.equal(seen[i % 20] or address, address)
      seen[i % 20] = address
    end
  end)

  it("sends calls without a key where least is in flight", function()
    local balancer = hashing()
    for i = 1, 9 do
      balancer:load(("10.0.0.%d:1"):format(i)).inflight = 1
    end
    assert.same({ "10.0.0.10:1", "without a key: fewest in flight" }, { balancer:pick() })
  end)

  it("bounds the load that a popular key makes", function()
    local balancer = hashing('{"by":"header:x-user","load_bound":1.5}')
    balancer:header("x-user", "everybody")
    local shares = balancer:shares(1000, true)
    local most, used = 0, 0
    for _, count in pairs(shares) do
      most, used = math.max(most, count), used + 1
    end
    assert.near(150, most, 1)
    assert.is_true(used >= 7, used)
    -- The jumps are the same for everybody.
    for _, load in pairs(balancer.known) do
      load.inflight = 0
    end
    local owner = balancer:pick()
    balancer:load(owner).inflight = 10
    local next_one, why = balancer:pick()
    assert.not_equal(owner, next_one)
    assert.equal("next after the key's owner", why)
    assert.equal(next_one, (balancer:pick()))
  end)

  it("lets a heavy endpoint carry more", function()
    local balancer = hashing('{"by":"header:x-user","load_bound":1}', 2, function(i)
      return { weight = i * 2 - 1 }
    end)
    balancer:header("x-user", "everybody")
    local shares = balancer:shares(400, true)
    assert.near(100, shares["10.0.0.1:1"], 2)
    assert.near(300, shares["10.0.0.2:1"], 2)
  end)

  it("goes on from what was tried", function()
    local balancer = hashing(nil, 4)
    balancer:header("x-user", "tom")
    local owner, left = balancer:pick(), {}
    for _, address in ipairs(balancer.addresses) do
      left[#left + 1] = address ~= owner and address or nil
    end
    balancer:only(left)
    local second = balancer:pick()
    assert.not_equal(owner, second)
    assert.equal(second, (balancer:pick()))
  end)

  it("refuses what is no source of keys", function()
    for _, by in ipairs({ "user", "header:", "cookie:x", "field:1.x", "field:0", "field:" }) do
      local balancer, code, words = support.balancers.make(script, "consistent_hash", ('{"by":"%s"}'):format(by))
      assert.is_nil(balancer)
      assert.equal(support.s.ECONFIG, code)
      assert.truthy(words:find('by is "header:NAME"', 1, true), words)
    end
  end)

  it("has nothing to choose from without endpoints", function()
    local balancer = support.balancer(script, "consistent_hash", '{"by":"header:x-user"}', {})
    assert.same({ nil, support.s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "consistent_hash"))
  end)
end)
