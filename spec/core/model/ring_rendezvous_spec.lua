local support = require("spec.core.model.ring_support")
local C = support.C

local names = {}
for i = 1, 5 do
  names[i] = ("10.0.0.%d:7402"):format(i)
end

describe("rendezvous hashing", function()
  it("gives equal nodes equal shares", function()
    local shares = support.shares(support.ring(C.PERI_RING_RENDEZVOUS, 0, names), 50000)
    for _, name in ipairs(names) do
      assert.near(10000, shares[name], 500, name)
    end
  end)

  it("honours weights", function()
    local three = { names[1], names[2], names[3] }
    local owner = support.ring(C.PERI_RING_RENDEZVOUS, 0, three, { 1, 2, 5 })
    local shares = support.shares(owner, 80000)
    assert.near(10000, shares[names[1]], 600)
    assert.near(20000, shares[names[2]], 800)
    assert.near(50000, shares[names[3]], 1000)
  end)

  it("moves only the keys of a node that leaves, with and without weights", function()
    local four = { names[1], names[2], names[3], names[4] }
    for _, weights in ipairs({ false, { 3, 1, 2, 5, 4 } }) do
      local before = support.ring(C.PERI_RING_RENDEZVOUS, 0, names, weights or nil)
      local after = support.ring(C.PERI_RING_RENDEZVOUS, 0, four, weights or nil)
      local moved, needless = support.moved(before, after, 20000, names[5])
      assert.is_true(moved > 1000)
      assert.equal(0, needless)
    end
  end)

  it("has the same owners when equal weights are scaled", function()
    local one = support.ring(C.PERI_RING_RENDEZVOUS, 0, names)
    local ten = support.ring(C.PERI_RING_RENDEZVOUS, 0, names, { 10, 10, 10, 10, 10 })
    assert.equal(0, (support.moved(one, ten, 5000)))
  end)
end)
