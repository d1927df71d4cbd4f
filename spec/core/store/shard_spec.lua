local M = require("spec.core.store.store")
local C = M.C

--- What one small entry of these specs is charged: 56 + key + value in a slot of 80, and 8.
local CHARGE = 88

describe("store/shard", function()
  local store
  after_each(function()
    store.free()
  end)

  it("charges what its entries say", function()
    store = M.new({ shards = 1 })
    store.set("k1", "v1")
    assert.equal(72, store.stat("bytes"))
    store.set("k2", ("v"):rep(20))
    assert.equal(72 + CHARGE, store.stat("bytes"))
  end)

  it("pushes out the least recently used first", function()
    store = M.new({ shards = 1, budget_bytes = 4 * CHARGE })
    for _, key in ipairs({ "k1", "k2", "k3", "k4" }) do
      assert.equal(0, store.set(key, ("v"):rep(20)))
    end
    assert.is_truthy(store.get("k1"))
    store.set("k5", ("v"):rep(20))
    store.set("k6", ("v"):rep(20))
    assert.is_nil(store.get("k2"))
    assert.is_nil(store.get("k3"))
    for _, key in ipairs({ "k1", "k4", "k5", "k6" }) do
      assert.is_truthy(store.get(key), key)
    end
    assert.equal(2, store.stat("evictions"))
  end)

  it("keeps each shard within its own share", function()
    store = M.new({ shards = 16, budget_bytes = 16 * 4 * CHARGE })
    local here = { [11] = { "Tom" }, [10] = { "Jack" } }
    for i = 1, 400 do
      local key = "k" .. i
      local shard = C.peri_store_shard_of(store.ptr, M.slice(key))
      if here[shard] then
        table.insert(here[shard], key)
      end
    end
    store.set("Jack", ("v"):rep(20))
    for _, key in ipairs(here[11]) do
      store.set(key, ("v"):rep(18))
    end
    assert.is_nil(store.get("Tom"))
    assert.is_truthy(store.get("Jack"))
    local kept = 0
    for _, key in ipairs(here[11]) do
      kept = kept + (store.get(key) and 1 or 0)
    end
    assert.equal(4, kept)
  end)

  it("accounts for a replaced value exactly", function()
    store = M.new({ shards = 1, budget_bytes = 100000 })
    store.set("k", ("v"):rep(1000))
    local large = store.stat("bytes")
    store.set("k", ("v"):rep(20))
    assert.equal(CHARGE, store.stat("bytes"))
    store.set("k", ("v"):rep(1000))
    assert.equal(large, store.stat("bytes"))
    assert.equal(1, store.stat("entries"))
    assert.equal(0, store.stat("evictions"))
    store.remove("k")
    assert.equal(0, store.stat("bytes"))
  end)

  it("never lets a large value flush it", function()
    store = M.new({ shards = 1, budget_bytes = 100 * CHARGE })
    for i = 1, 90 do
      store.set("k" .. i, ("v"):rep(19))
    end
    assert.equal(C.PERI_ELIMIT, store.set("k7", ("v"):rep(25 * CHARGE)))
    assert.equal(C.PERI_ELIMIT, store.set("k8", ("v"):rep(1000000)))
    assert.equal(88, store.stat("entries"))
    assert.is_nil(store.get("k7"))
    assert.equal(2, store.stat("oversize"))
    assert.equal(0, store.stat("evictions"))
  end)

  it("evicts many small values for one just small enough", function()
    store = M.new({ shards = 1, budget_bytes = 1000 * CHARGE })
    for i = 1, 1000 do
      store.set("k" .. (1000 + i), ("v"):rep(19))
    end
    assert.equal(0, store.set("large", ("v"):rep(16000)))
    assert.is_true(store.stat("bytes") <= 1000 * CHARGE)
    assert.is_truthy(store.get("large"))
    assert.is_nil(store.get("k1001"))
    assert.is_truthy(store.get("k2000"))
    assert.equal(math.ceil((16384 + 8) / CHARGE), store.stat("evictions"))
  end)

  it("counts what it pushes out as expired when it is", function()
    store = M.new({ shards = 1, budget_bytes = 4 * CHARGE })
    for i = 1, 4 do
      store.set("k" .. i, ("v"):rep(20), M.NOW + 10)
    end
    store.set("k5", ("v"):rep(20), 0, M.NOW + 10)
    assert.equal(0, store.stat("evictions"))
    assert.equal(1, store.stat("expired"))
  end)
end)
