local M = require("spec.core.store.store")
local C, ffi = M.C, M.ffi

local NOW = M.NOW

describe("store/store", function()
  local store
  before_each(function()
    store = M.new()
  end)
  after_each(function()
    store.free()
  end)

  it("stores, finds, replaces and removes", function()
    assert.is_nil(store.get("key1"))
    assert.equal(0, store.set("key1", "1234"))
    assert.equal("1234", store.get("key1"))
    store.set("key1", "5678")
    assert.equal("5678", store.get("key1"))
    assert.is_true(store.remove("key1"))
    assert.is_false(store.remove("key1"))
    assert.is_nil(store.get("key1"))
  end)

  it("takes any bytes as key and value", function()
    for _, key in ipairs({ "", "\0", "\0\0", ("k"):rep(2 ^ 20), "é" }) do
      store.set(key, key .. "\0value")
      assert.equal(key .. "\0value", store.get(key))
    end
    store.set("empty", "")
    assert.equal("", store.get("empty"))
  end)

  it("spreads keys over 16 shards as the reference does", function()
    assert.equal(16, C.peri_store_shards(store.ptr))
    assert.equal(11, C.peri_store_shard_of(store.ptr, M.slice("Tom")))
    assert.equal(10, C.peri_store_shard_of(store.ptr, M.slice("Jack")))
  end)

  it("refuses a number of shards that nobody means", function()
    local out = ffi.new("struct peri_store *[1]")
    local options = ffi.new("struct peri_store_options", { shards = 65537 })
    assert.equal(C.PERI_EINVAL, C.peri_store_new(options, out))
    C.peri_store_free(nil)
  end)

  it("has no limit when the budget is zero", function()
    for i = 1, 3000 do
      assert.equal(0, store.set("k" .. i, ("v"):rep(1000)))
    end
    assert.equal(3000, store.stat("entries"))
    assert.equal(0, store.stat("evictions"))
  end)

  it("keeps room for something when the budget is less than a byte a shard", function()
    local tiny = M.new({ budget_bytes = 3 })
    assert.equal(C.PERI_ELIMIT, tiny.set("k", "v"))
    assert.equal(0, tiny.stat("entries"))
    tiny.free()
  end)

  it("ends a value at its instant, and a read never extends it", function()
    store.set("k", "v", NOW + 100)
    for passed = 0, 99, 3 do
      assert.equal("v", store.get("k", NOW + passed))
    end
    assert.is_nil(store.peek("k", NOW + 100))
    assert.equal(1, store.stat("expired"))
    assert.equal(0, store.stat("entries"))
    assert.is_nil(store.get("k", NOW))
  end)

  it("does not store what is over already, but replaces what was there", function()
    store.set("k", "old")
    assert.equal(0, store.set("k", "new", NOW))
    assert.is_nil(store.get("k"))
  end)

  it("remembers that a value is absent, which is not a value", function()
    store.set("k", "", 0, NOW, true)
    assert.equal("(absent)", store.get("k"))
    assert.is_false(store.remove("k"))
    store.set("k", "v", NOW + 5)
    assert.is_false(store.remove("k", NOW + 5))
  end)

  it("stores copies, so that an entry can be stored again", function()
    local entry = M.entry("k", "v")
    assert.equal(0, C.peri_store_set(store.ptr, entry, NOW))
    assert.equal(0, C.peri_store_set(store.ptr, entry, NOW))
    assert.equal(1, store.stat("entries"))
    C.peri_entry_unref(entry)
    assert.equal("v", store.get("k"))
  end)

  it("refuses what no store takes, and removes what was there", function()
    store.set("k", "v")
    assert.equal(C.PERI_ELIMIT, store.set("k", ("v"):rep(33 * 2 ^ 20)))
    assert.is_nil(store.get("k"))
    assert.equal(0, store.set("k", ("v"):rep(31 * 2 ^ 20)))
    assert.equal(31 * 2 ^ 20, #store.get("k"))
  end)

  it("lets readers keep entries longer than the store", function()
    local brief = M.new()
    brief.set("small", "kept")
    brief.set("large", ("x"):rep(50000))
    local small, large = ffi.new("struct peri_entry *[1]"), ffi.new("struct peri_entry *[1]")
    C.peri_store_get(brief.ptr, M.slice("small"), NOW, small)
    C.peri_store_get(brief.ptr, M.slice("large"), NOW, large)
    brief.free()
    assert.equal("kept", M.string(C.peri_entry_value(small[0])))
    assert.equal(("x"):rep(50000), M.string(C.peri_entry_value(large[0])))
    C.peri_entry_unref(small[0])
    C.peri_entry_unref(large[0])
  end)

  it("keeps every value and its recency while memory is tidied", function()
    local one = M.new({ shards = 1, budget_bytes = 4 * 2 ^ 20 })
    for i = 1, 20000 do
      one.set("k" .. i, ("v"):rep(100))
    end
    -- Every tenth stays, so each block is sparse; other sizes follow.
    for i = 1, 20000 do
      if i % 10 ~= 0 then
        one.remove("k" .. i)
      end
    end
    local before = one.stat("held_bytes")
    for i = 1, 2000 do
      one.set("other" .. i, ("w"):rep(300))
    end
    assert.is_true(before > 3.2e6, before)
    assert.is_true(one.stat("held_bytes") < one.stat("bytes") * 1.0625 + 4 * 32768, one.stat("held_bytes"))
    for i = 10, 20000, 10 do
      assert.equal(("v"):rep(100), one.get("k" .. i), i)
    end
    assert.equal(0, one.stat("evictions"))
    for i = 1, 6000 do
      one.set("more" .. i, ("x"):rep(600))
    end
    -- The oldest went first: what was just read outlived the others as long as it could.
    assert.is_nil(one.peek("other1"))
    assert.is_truthy(one.peek("more6000"))
    one.free()
  end)

  it("leaves an entry to its readers when it is removed", function()
    store.set("k", "kept")
    local found = ffi.new("struct peri_entry *[1]")
    C.peri_store_get(store.ptr, M.slice("k"), NOW, found)
    store.set("k", "other")
    store.remove("k")
    assert.equal("kept", M.string(C.peri_entry_value(found[0])))
    C.peri_entry_unref(found[0])
  end)

  it("counts hits and misses, but not peeks", function()
    store.set("k", "v")
    store.get("k")
    store.get("k")
    store.get("other")
    store.peek("k")
    store.peek("other")
    assert.equal(2, store.stat("hits"))
    assert.equal(1, store.stat("misses"))
  end)

  it("keeps what is used in a large shard too, to within half of it", function()
    local one = M.new({ shards = 1, budget_bytes = 4000 * 72 })
    for i = 1, 4000 do
      one.set("k" .. i, "v")
      one.get("k1")
    end
    for i = 1, 20000 do
      one.set("n" .. i, "v")
      assert.is_truthy(one.get("k1"), i)
    end
    assert.is_nil(one.peek("k2"))
    one.free()
  end)

  it("does not count a peek as use", function()
    local small = M.new({ shards = 1, budget_bytes = 4 * 72 })
    for i = 1, 4 do
      small.set("k" .. i, "v")
    end
    small.peek("k1")
    small.get("k2")
    small.set("k5", "v")
    small.set("k6", "v")
    assert.is_nil(small.peek("k1"))
    assert.equal("v", small.peek("k2"))
    assert.is_nil(small.peek("k3"))
    small.free()
  end)

  it("sweeps a shard in slices and comes round", function()
    local one = M.new({ shards = 1 })
    for i = 1, 1000 do
      one.set("k" .. i, "v", i % 2 == 0 and NOW + 10 or 0)
    end
    assert.equal(0, tonumber(C.peri_store_sweep(one.ptr, 0, 5000, NOW)))
    local removed, calls = 0, 0
    while removed < 500 and calls < 1000 do
      local slice = tonumber(C.peri_store_sweep(one.ptr, 0, 50, NOW + 10))
      assert.is_true(slice <= 60)
      removed, calls = removed + slice, calls + 1
    end
    assert.equal(500, removed)
    assert.is_true(calls > 10)
    assert.equal(500, one.stat("entries"))
    assert.equal(500, one.stat("expired"))
    assert.equal(0, tonumber(C.peri_store_sweep(one.ptr, 1, 50, NOW)))
    one.free()
  end)

  it("shrinks in steps to a smaller budget, oldest first, and never grows meanwhile", function()
    local one = M.new({ shards = 1, budget_bytes = 2 ^ 20 })
    local function trim(max)
      return tonumber(C.peri_store_trim(one.ptr, 0, max, NOW))
    end
    for i = 1, 5000 do
      one.set("key" .. i, "0123456789")
    end
    local all, charged = one.stat("bytes"), one.stat("bytes") / 5000
    assert.equal(0, trim(100))
    C.peri_store_resize(one.ptr, 1000 * charged)
    assert.equal(5000, one.stat("entries"))
    local removed = trim(100)
    assert.is_true(removed >= 100 and removed <= 200)
    assert.is_nil(one.peek("key1"))
    assert.is_truthy(one.peek("key" .. (removed + 1)))
    -- What is stored takes some more with it.
    local before = one.stat("bytes")
    one.set("fresh", "0123456789")
    assert.is_true(one.stat("bytes") < before)
    assert.is_true(one.stat("entries") > 4000)
    while trim(100) > 0 do
      assert.is_true(one.stat("bytes") < all)
    end
    assert.is_true(one.stat("bytes") <= 1000 * charged)
    assert.is_true(one.stat("bytes") > 990 * charged)
    assert.is_truthy(one.peek("fresh"))
    assert.equal(0, trim(100))
    -- Nothing as large as a quarter of the new one any more.
    assert.equal(C.PERI_ELIMIT, one.set("large", ("x"):rep(251 * charged)))
    C.peri_store_resize(one.ptr, 2 ^ 20)
    assert.equal(0, one.set("large", ("x"):rep(251 * charged)))
    for i = 1, 5000 do
      one.set("again" .. i, "0123456789")
    end
    assert.is_true(one.stat("entries") > 4000)
    C.peri_store_resize(one.ptr, 0)
    assert.equal(0, trim(100))
    one.free()
  end)

  it("keeps a value larger than what a step takes out while it shrinks", function()
    local one = M.new({ shards = 1, budget_bytes = 2 ^ 20 })
    for i = 1, 5000 do
      one.set("key" .. i, "0123456789")
    end
    C.peri_store_resize(one.ptr, 2 ^ 18)
    local before = one.stat("bytes")
    assert.equal(0, one.set("large", ("x"):rep(2 ^ 15)))
    assert.is_true(one.stat("bytes") <= before)
    assert.is_truthy(one.peek("large"))
    one.free()
  end)

  it("can be emptied, memory and all", function()
    local one = M.new({ budget_bytes = 2 ^ 24 })
    for i = 1, 20000 do
      one.set("key" .. i, ("x"):rep(i % 500))
    end
    C.peri_store_resize(one.ptr, 1)
    for shard = 0, 15 do
      while C.peri_store_trim(one.ptr, shard, 1000, NOW) > 0 do
        assert.is_true(one.stat("entries") < 20000)
      end
    end
    assert.equal(0, one.stat("entries"))
    assert.equal(0, one.stat("bytes"))
    assert.is_true(one.stat("held_bytes") <= 57 * 32768)
    assert.equal(C.PERI_ELIMIT, one.set("key", ""))
    assert.equal(0, tonumber(C.peri_store_trim(one.ptr, 16, 1000, NOW)))
    one.free()
  end)

  it("is resized under eight threads", function()
    local small = M.new({ budget_bytes = 60000 })
    local result = ffi.new("struct peri_crowd_result")
    C.peri_crowd_resize(small.ptr, 8, 20000, 500, ffi.new("uint64_t[2]", 60000, 6000), result)
    assert.equal(0, tonumber(result.wrong))
    assert.equal(tonumber(result.loads + result.waits), tonumber(result.handed + result.left))
    C.peri_store_resize(small.ptr, 6000)
    for shard = 0, 15 do
      C.peri_store_trim(small.ptr, shard, 100000, NOW)
    end
    assert.is_true(small.stat("bytes") <= 6000)
    small.free()
  end)

  it("stays whole under eight threads", function()
    local small = M.new({ budget_bytes = 60000 })
    local result = ffi.new("struct peri_crowd_result")
    C.peri_crowd_churn(small.ptr, 8, 20000, 500, result)
    assert.equal(0, tonumber(result.wrong))
    assert.is_true(tonumber(result.loads) > 1000)
    assert.equal(0, small.stat("flights"))
    assert.equal(0, small.stat("waiters"))
    assert.equal(tonumber(result.loads + result.waits), tonumber(result.handed + result.left))
    assert.is_true(small.stat("bytes") <= 60000)
    -- Twice: a sweep that begins in the middle may miss what moves while it removes.
    for shard = 0, 31 do
      C.peri_store_sweep(small.ptr, shard % 16, 100000, NOW * 2)
    end
    assert.equal(0, small.stat("bytes"))
    assert.equal(0, small.stat("entries"))
    small.free()
  end)

  it("tidies memory under four threads without losing a value", function()
    local wide = M.new({ budget_bytes = 2 * 2 ^ 20 })
    local result = ffi.new("struct peri_crowd_result")
    for _ = 1, 3 do
      C.peri_crowd_churn(wide.ptr, 4, 20000, 20000, result)
      assert.equal(0, tonumber(result.wrong))
      -- What the next round stores moves what this one left behind.
      for i = 1, 4000 do
        wide.set("wide" .. i, ("x"):rep(900))
      end
      for i = 1, 4000 do
        local value = wide.get("wide" .. i)
        assert.is_true(value == nil or #value == 900)
      end
    end
    assert.is_true(wide.stat("held_bytes") < 2 * 2 ^ 20 * 1.0625 + 57 * 32768)
    wide.free()
  end)
end)
