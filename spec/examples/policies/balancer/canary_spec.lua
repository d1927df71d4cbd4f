local support = require("spec.examples.policies.support")
local s = support.s

describe("the balancer canary", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    support.balancers.close(script)
    s.clean()
  end)

  -- Endpoints 1 and 2 are the canary, 3 to 6 are not.
  local function list_of()
    return support.endpoints(6, function(i)
      return { metadata = i <= 2 and '{"version":"2.0"}' or i <= 4 and '{"version":"1.9"}' or nil }
    end)
  end
  local function canary(members)
    local options = ('{"version":"2.0"%s}'):format(members and "," .. members or "")
    return support.balancer(script, "canary", options, list_of())
  end
  local function in_canary(shares)
    return (shares["10.0.0.1:1"] or 0) + (shares["10.0.0.2:1"] or 0)
  end

  it("goes by the header", function()
    local balancer = canary('"header":"X-Canary","percent":50')
    balancer:header("x-canary", "always")
    assert.equal(100, in_canary(balancer:shares(100)))
    assert.equal("canary: the call says x-canary: always", select(2, balancer:pick()))
    balancer:header("x-canary", "never")
    assert.equal(0, in_canary(balancer:shares(100)))
    assert.equal("stable: the call says x-canary: never", select(2, balancer:pick()))
    balancer:header("x-canary", "perhaps")
    assert.near(500, in_canary(balancer:shares(1000)), 120)
  end)

  it("gives the canary nothing when nothing is said", function()
    local balancer = canary()
    assert.equal(0, in_canary(balancer:shares(100)))
    assert.equal("stable: no share is set", select(2, balancer:pick()))
  end)

  it("draws its share", function()
    local balancer = canary('"percent":10')
    assert.near(400, in_canary(balancer:shares(4000)), 150)
    balancer = canary('"percent":100')
    assert.equal("canary: drawn", select(2, balancer:pick()))
  end)

  local function users(balancer, count)
    local chosen, sum = {}, 0
    for i = 1, count do
      balancer:header("x-user", "user-" .. i)
      local address = balancer:pick()
      if in_canary({ [address] = 1 }) == 1 then
        chosen[i], sum = true, sum + 1
      end
    end
    return chosen, sum
  end

  it("keeps a user on one side, also when the share grows", function()
    local few, sum = users(canary('"percent":5,"by":"X-User"'), 4000)
    assert.near(200, sum, 60)
    assert.same(few, (users(canary('"percent":5,"by":"x-user"'), 4000)))
    local more = users(canary('"percent":10,"by":"x-user"'), 4000)
    for user in pairs(few) do
      assert.is_true(more[user], user)
    end
    local others = users(canary('"percent":5,"by":"x-user","salt":"autumn"'), 4000)
    local both = 0
    for user in pairs(few) do
      both = both + (others[user] and 1 or 0)
    end
    assert.is_true(both < 40, both)
  end)

  it("says why", function()
    local balancer = canary('"percent":100,"by":"x-user"')
    balancer:header("x-user", "tom")
    assert.equal("canary: x-user is among the first 100 %", select(2, balancer:pick()))
    balancer = canary('"percent":0.01,"by":"x-user"')
    balancer:header("x-user", "tom")
    assert.equal("stable: x-user is not among the first 0.01 %", select(2, balancer:pick()))
  end)

  it("leaves a canary of which half fails to those that ask for it", function()
    local balancer = canary('"percent":100,"header":"x-canary"')
    support.fail(balancer, "10.0.0.1:1", 9)
    balancer:update(list_of())
    assert.equal("stable: half of the canary fails", select(2, balancer:pick()))
    balancer:header("x-canary", "always")
    assert.equal(10, in_canary(balancer:shares(10)))
  end)

  it("answers from the other side when one is tried or gone", function()
    local balancer = canary('"percent":100')
    balancer:only({ "10.0.0.3:1", "10.0.0.4:1" })
    assert.equal("stable: drawn, but no canary is left to try", select(2, balancer:pick()))
    balancer = canary()
    balancer:only({ "10.0.0.1:1" })
    assert.same({ "10.0.0.1:1", "canary: no share is set, but nothing else is left to try" }, { balancer:pick() })
    balancer:update({})
    assert.same({ nil, s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, script:errors("balancer", "canary"))
  end)

  it("refuses an edit that turns it round or loses users", function()
    assert.same({ 0, "" }, { support.selftest("balancer", "canary") })
    for old, new in pairs({ ['said == "always", ('] = 'said == "never", (', ["== self.options.version"] = "~= self.options.version" }) do
      local code, text = support.selftest("balancer", "canary", support.instead(old, new))
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("canary.lua:%d+: always is the canary's"), text)
    end
  end)
end)
