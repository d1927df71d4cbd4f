local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "store/pool_shim.h" })

local BLOCK = 32768

describe("store/pool", function()
  local pool
  before_each(function()
    local out = ffi.new("struct peri_pool *[1]")
    assert.equal(0, C.peri_pool_new(out))
    pool = out[0]
  end)
  after_each(function()
    C.peri_pool_close(pool)
    C.peri_pool_close(nil)
  end)

  local function held()
    return tonumber(C.peri_pool_held_bytes(pool))
  end

  local function take(bytes, count, written)
    local entries = {}
    for i = 1, count do
      entries[i] = C.peri_pool_test_take(pool, bytes, written ~= false)
      assert.is_true(entries[i] ~= nil)
    end
    return entries
  end

  local function sparse()
    local out = ffi.new("struct peri_entry *[16]")
    local count = tonumber(C.peri_pool_sparse(pool, out, 16))
    local entries = {}
    for i = 1, count do
      entries[i] = out[i - 1]
    end
    return entries
  end

  it("rounds small sizes by an eighth and large ones to pages", function()
    local last = 0
    for bytes = 57, 7680 do
      local rounded = tonumber(C.peri_pool_round(bytes))
      assert.is_true(rounded >= bytes and rounded >= last, bytes)
      local part = bytes <= 2048 and 1.2 or 4 / 3 -- few large slots share a block's rest
      assert.is_true(rounded <= bytes * part + 16, bytes .. ": " .. rounded)
      assert.equal(0, rounded % 8)
      last = rounded
    end
    assert.equal(8192, tonumber(C.peri_pool_round(7681)))
    assert.equal(12288, tonumber(C.peri_pool_round(8193)))
    assert.equal(32 * 2 ^ 20, tonumber(C.peri_pool_round(32 * 2 ^ 20)))
    assert.equal(0, tonumber(C.peri_pool_round(32 * 2 ^ 20 + 1)))
    assert.is_true(C.peri_pool_test_take(pool, 32 * 2 ^ 20 + 1, true) == nil)
  end)

  it("packs entries of every size without overlap", function()
    local spans = {}
    for bytes = 57, 9000, 7 do
      local entry = C.peri_pool_test_take(pool, bytes, true)
      local at = tonumber(ffi.cast("uintptr_t", entry))
      spans[#spans + 1] = { at, at + tonumber(C.peri_pool_round(bytes)), entry, bytes }
    end
    table.sort(spans, function(a, b)
      return a[1] < b[1]
    end)
    for i = 2, #spans do
      assert.is_true(spans[i - 1][2] <= spans[i][1])
    end
    for _, span in ipairs(spans) do
      C.peri_pool_test_drop(span[3], span[4])
    end
  end)

  it("gives memory back once a block is empty, but the last one", function()
    local entries = take(100, 3000)
    assert.is_true(held() >= 300000 and held() <= 300000 * 1.1 + BLOCK)
    for _, entry in ipairs(entries) do
      C.peri_pool_test_drop(entry, 100)
    end
    assert.equal(BLOCK, held())
    local large = take(100000, 3)
    assert.equal(BLOCK + 3 * 102400, held())
    for _, entry in ipairs(large) do
      C.peri_pool_test_drop(entry, 100000)
    end
    assert.equal(BLOCK, held())
  end)

  it("names entries of sparse blocks until they are emptied", function()
    local entries = take(100, 6000)
    assert.same({}, sparse())
    local here, kept = {}, 0
    for i, entry in ipairs(entries) do
      if i % 8 == 0 then
        here[tostring(entry)], kept = entry, kept + 1
      else
        C.peri_pool_test_drop(entry, 100)
      end
    end
    local full = held()
    local moved = 0
    for _ = 1, 1000 do
      for _, entry in ipairs(sparse()) do
        -- What a store does: a copy takes over both references of the old one.
        assert.is_truthy(here[tostring(entry)])
        assert.equal(2, C.peri_pool_test_refs(entry))
        local copy = C.peri_pool_test_take(pool, 100, true)
        here[tostring(entry)] = nil
        here[tostring(copy)] = copy
        C.peri_pool_test_drop(entry, 100)
        C.peri_pool_test_drop(entry, 100)
        moved = moved + 1
      end
    end
    assert.is_true(moved > 0 and moved < 2 * kept, moved)
    assert.is_true(held() <= full / 4, held())
    for _, entry in pairs(here) do
      C.peri_pool_test_drop(entry, 100)
    end
  end)

  it("never names what is not written yet, and goes on around what is held", function()
    local entries = take(100, 6000)
    for i, entry in ipairs(entries) do
      if i % 8 ~= 0 then
        C.peri_pool_test_drop(entry, 100)
      end
    end
    local unwritten = take(100, 50, false)
    local names = {}
    for _, entry in ipairs(unwritten) do
      names[tostring(entry)] = true
    end
    for _ = 1, 1000 do
      for _, entry in ipairs(sparse()) do
        assert.is_nil(names[tostring(entry)])
        C.peri_pool_test_drop(entry, 100)
      end
    end
    for i = 8, 6000, 8 do
      assert.equal(1, C.peri_pool_test_refs(entries[i]))
      C.peri_pool_test_drop(entries[i], 100)
    end
    for _, entry in ipairs(unwritten) do
      C.peri_pool_test_drop(entry, 100)
    end
    assert.equal(BLOCK, held())
  end)
end)
