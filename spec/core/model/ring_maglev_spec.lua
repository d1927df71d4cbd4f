local support = require("spec.core.model.ring_support")
local C = support.C

local names = {}
for i = 1, 10 do
  names[i] = ("10.0.0.%d:7402"):format(i)
end

-- Slots are spread by a hash of the key, so a share of keys has sampling noise
-- of its own: 200,000 keys keep it well below the 1 % asserted.
local KEYS = 200000

describe("a maglev table", function()
  it("gives equal nodes shares within 1 % of all keys", function()
    local shares = support.shares(support.ring(C.PERI_RING_MAGLEV, 0, names), KEYS)
    for _, name in ipairs(names) do
      assert.near(KEYS / 10, shares[name], KEYS / 100, name)
    end
  end)

  it("honours weights within 1 % of all keys", function()
    local three = { names[1], names[2], names[3] }
    local shares = support.shares(support.ring(C.PERI_RING_MAGLEV, 0, three, { 1, 2, 5 }), KEYS)
    assert.near(KEYS / 8, shares[names[1]], KEYS / 100)
    assert.near(KEYS / 4, shares[names[2]], KEYS / 100)
    assert.near(KEYS * 5 / 8, shares[names[3]], KEYS / 100)
  end)

  it("moves little more than the share of a node that leaves", function()
    local nine = {}
    for i = 1, 9 do
      nine[i] = names[i]
    end
    local before = support.ring(C.PERI_RING_MAGLEV, 0, names)
    local after = support.ring(C.PERI_RING_MAGLEV, 0, nine)
    local moved, needless = support.moved(before, after, 20000, names[10])
    assert.near(2000, moved - needless, 300)
    assert.is_true(needless < 1000, needless)
  end)

  it("survives weights that are far apart", function()
    local owner = support.ring(C.PERI_RING_MAGLEV, 0, { names[1], names[2] }, { 65535, 1 })
    assert.is_true(support.shares(owner, 20000)[names[1]] > 19900)
  end)
end)
