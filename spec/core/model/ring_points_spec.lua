local support = require("spec.core.model.ring_support")
local C = support.C

describe("a ring of points", function()
  -- golang/groupcache's consistenthash_test: points 2, 4, 6, 12, 14, 16, 22,
  -- 24, 26 from three replicas, where the number stands before the name.
  it("gives a key to the first point at or after it", function()
    local owner = support.points(C.ring_shim_numeric, C.ring_shim_numeric, 3, { "6", "4", "2" })
    assert.equal("2", owner("2"))
    assert.equal("2", owner("11"))
    assert.equal("4", owner("23"))
    assert.equal("2", owner("27"))
  end)

  it("moves only what a new node takes over", function()
    local owner = support.points(C.ring_shim_numeric, C.ring_shim_numeric, 3, { "6", "4", "2", "8" })
    assert.equal("2", owner("2"))
    assert.equal("2", owner("11"))
    assert.equal("4", owner("23"))
    assert.equal("8", owner("27"))
  end)

  it("agrees whatever order nodes were added in", function()
    local one = support.ring(C.PERI_RING_CRC32, 1, { "Bill", "Bob", "Bonny" })
    local other = support.ring(C.PERI_RING_CRC32, 1, { "Bob", "Bonny", "Bill" })
    for _, key in ipairs({ "Ben", "Becky", "Bobby" }) do
      assert.equal(one(key), other(key))
    end
  end)

  it("gives a point that two nodes share to the one added last", function()
    local owner = support.points(C.ring_shim_constant, C.ring_shim_numeric, 3, { "1", "2", "3" })
    assert.equal("3", owner("5"))
    assert.equal("3", owner("7"))
    assert.equal("3", owner("8"))
  end)

  it("ignores weights that are all equal", function()
    local names = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }
    local plain = support.ring(C.PERI_RING_CRC32, 50, names)
    local heavy = support.ring(C.PERI_RING_CRC32, 50, names, { 10, 10, 10 })
    assert.equal(0, (support.moved(plain, heavy, 5000)))
  end)

  it("honours weights", function()
    local names = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }
    -- FNV-1 mixes the last bytes of a key hardly at all: a long ending helps.
    local fnv = support.ring(C.PERI_RING_FNV, 500, names, { 10, 20, 10 })
    local shares = support.shares(function(key)
      return fnv(key .. " and more")
    end, 40000)
    assert.near(10000, shares[names[1]], 1500)
    assert.near(20000, shares[names[2]], 2000)
    assert.near(10000, shares[names[3]], 1500)
    -- CRC-32 spreads names that differ in one digit badly, in every library of
    -- the family; the order of the shares is what can be asked.
    shares = support.shares(support.ring(C.PERI_RING_CRC32, 500, names, { 10, 20, 10 }), 40000)
    assert.is_true(shares[names[2]] > 1.4 * shares[names[1]])
    assert.is_true(shares[names[2]] > 1.4 * shares[names[3]])
  end)

  it("moves no key between nodes that stay", function()
    local names = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1" }
    local before = support.ring(C.PERI_RING_CRC32, 50, names)
    local after = support.ring(C.PERI_RING_CRC32, 50, { names[1], names[2], names[3] })
    local moved, needless = support.moved(before, after, 10000, names[4])
    assert.is_true(moved > 500 and moved < 5000, moved)
    assert.equal(0, needless)
  end)

  it("keeps far apart weights within the limit of points", function()
    local names = { "10.0.0.1:1", "10.0.0.2:1" }
    local owner = support.ring(C.PERI_RING_CRC32, 50, names, { 65535, 1 })
    local shares = support.shares(owner, 20000)
    assert.is_true(shares["10.0.0.1:1"] > 19900)
  end)

  it("refuses more points than a ring may have", function()
    local out = support.ffi.new("struct peri_ring *[1]")
    local names = {}
    for i = 1, 17 do
      names[i] = "10.0.0." .. i .. ":1"
    end
    assert.equal(C.PERI_EINVAL, C.peri_ring_new(1, 65537, support.nodes(names), 1, out))
    assert.equal(C.PERI_EINVAL, C.peri_ring_new(1, 65536, support.nodes(names), 17, out))
  end)
end)
