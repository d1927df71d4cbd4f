local M = require("spec.core.store.store")
local C, ffi = M.C, M.ffi

local NOW = M.NOW

describe("store/flight", function()
  local store
  before_each(function()
    store = M.new({ budget_bytes = 16 * 4096 })
  end)
  after_each(function()
    assert.equal(0, store.stat("flights"))
    assert.equal(0, store.stat("waiters"))
    store.free()
  end)

  --- Joins and returns what came of it, with the waiter, entry and flight.
  local function join(key, now_ns)
    local waiter = ffi.new("struct peri_waiter")
    local entry, flight = ffi.new("struct peri_entry *[1]"), ffi.new("struct peri_flight *[1]")
    local rc = C.peri_store_join(store.ptr, M.slice(key), now_ns or NOW, waiter, entry, flight)
    return rc, { waiter = waiter, entry = entry[0], flight = flight[0] }
  end

  --- Ends a load; returns the waiters handed over, in order, and whether it was stored.
  local function finish(flight, key, value, expire_ns)
    local entry = value and M.entry(key, value, expire_ns)
    local list = ffi.new("struct peri_list")
    C.peri_store_finish(store.ptr, flight, entry or nil, NOW, list)
    C.peri_entry_unref(entry or nil)
    local handed = {}
    local head = ffi.cast("struct peri_list *", list)
    local node = list.next
    while node ~= head do
      handed[#handed + 1] = ffi.cast("struct peri_waiter *", node)
      node = node.next
    end
    return handed, value ~= nil and store.peek(key) == value
  end

  local function same(waiter, joined)
    return waiter == ffi.cast("struct peri_waiter *", joined.waiter)
  end

  it("lets one lead and hands all waiters over, oldest first", function()
    local rc1, a = join("k")
    local rc2, b = join("k")
    local rc3, c = join("k")
    assert.same({ C.PERI_JOIN_LEAD, C.PERI_JOIN_WAIT, C.PERI_JOIN_WAIT }, { rc1, rc2, rc3 })
    assert.equal("k", M.string(C.peri_flight_key(a.flight)))
    assert.equal(1, store.stat("flights"))
    assert.equal(3, store.stat("waiters"))
    local handed, stored = finish(a.flight, "k", "v")
    assert.is_true(stored)
    assert.equal(3, #handed)
    assert.is_true(same(handed[1], a) and same(handed[2], b) and same(handed[3], c))
    assert.equal("v", store.get("k"))
  end)

  it("answers from the store when the value came meanwhile", function()
    store.set("k", "v")
    local rc, hit = join("k")
    assert.equal(C.PERI_JOIN_HIT, rc)
    assert.equal("v", M.string(C.peri_entry_value(hit.entry)))
    C.peri_entry_unref(hit.entry)
    assert.equal(0, store.stat("hits"))
  end)

  it("leads again for what has expired", function()
    store.set("k", "v", NOW + 5)
    local rc, lead = join("k", NOW + 5)
    assert.equal(C.PERI_JOIN_LEAD, rc)
    finish(lead.flight)
  end)

  it("keeps flights of different keys apart", function()
    local rc1, a = join("a")
    local rc2, b = join("b")
    assert.equal(C.PERI_JOIN_LEAD, rc1)
    assert.equal(C.PERI_JOIN_LEAD, rc2)
    assert.equal(1, #finish(a.flight, "a", "1"))
    assert.equal(1, #finish(b.flight, "b", "2"))
  end)

  it("stores nothing when there is nothing to store", function()
    local _, lead = join("k")
    local handed, stored = finish(lead.flight)
    assert.equal(1, #handed)
    assert.is_false(stored)
    assert.is_nil(store.get("k"))
    assert.equal(C.PERI_JOIN_LEAD, (join("k")) == C.PERI_JOIN_LEAD and C.PERI_JOIN_LEAD)
    local _, wait = join("k")
    assert.is_true(wait.waiter.flight ~= nil)
    finish(wait.waiter.flight)
  end)

  it("hands over but does not store what is too large or over", function()
    local _, lead = join("k")
    local handed, stored = finish(lead.flight, "k", ("v"):rep(2000))
    assert.equal(1, #handed)
    assert.is_false(stored)
    assert.equal(1, store.stat("oversize"))
    _, lead = join("k")
    _, stored = finish(lead.flight, "k", "v", NOW)
    assert.is_false(stored)
    assert.equal(0, store.stat("entries"))
  end)

  it("lets a waiter leave, the leader too, without failing the others", function()
    local _, lead = join("k")
    local _, wait = join("k")
    local _, stay = join("k")
    assert.is_true(C.peri_store_leave(store.ptr, wait.waiter))
    assert.is_false(C.peri_store_leave(store.ptr, wait.waiter))
    assert.is_true(C.peri_store_leave(store.ptr, lead.waiter))
    local handed, stored = finish(lead.flight, "k", "v")
    assert.is_true(stored)
    assert.equal(1, #handed)
    assert.is_true(same(handed[1], stay))
    assert.is_false(C.peri_store_leave(store.ptr, stay.waiter))
  end)

  it("finishes a flight that everybody left", function()
    local _, lead = join("k")
    C.peri_store_leave(store.ptr, lead.waiter)
    local rc, late = join("k")
    assert.equal(C.PERI_JOIN_WAIT, rc)
    C.peri_store_leave(store.ptr, late.waiter)
    local handed, stored = finish(lead.flight, "k", "v")
    assert.equal(0, #handed)
    assert.is_true(stored)
  end)

  it("never overwrites what a Set did meanwhile", function()
    local _, lead = join("k")
    store.set("k", "newer")
    local rc, hit = join("k")
    assert.equal(C.PERI_JOIN_HIT, rc)
    C.peri_entry_unref(hit.entry)
    local handed, stored = finish(lead.flight, "k", "older")
    assert.equal(1, #handed)
    assert.is_false(stored)
    assert.equal("newer", store.get("k"))
  end)

  it("never brings back what a Remove took away", function()
    local _, old = join("k")
    assert.is_false(store.remove("k"))
    local rc, young = join("k")
    assert.equal(C.PERI_JOIN_LEAD, rc)
    assert.equal(2, store.stat("flights"))
    local _, stored = finish(old.flight, "k", "stale")
    assert.is_false(stored)
    assert.is_nil(store.get("k"))
    local handed
    handed, stored = finish(young.flight, "k", "fresh")
    assert.is_true(stored)
    assert.is_true(#handed == 1 and same(handed[1], young))
    assert.equal("fresh", store.get("k"))
  end)

  it("refuses more waiters than a flight may have", function()
    local small = M.new({ max_waiters = 2 })
    local mine = store
    store = small
    local _, lead = join("k")
    assert.equal(C.PERI_JOIN_WAIT, (join("k")))
    assert.equal(C.PERI_ELIMIT, (join("k")))
    assert.equal(2, #finish(lead.flight, "k", "v"))
    assert.equal(0, small.stat("waiters"))
    small.free()
    store = mine
  end)

  it("loads a cold key once for ten thousand on four threads", function()
    local result = ffi.new("struct peri_crowd_result")
    C.peri_crowd_one_key(store.ptr, 4, 2500, false, result)
    assert.equal(1, tonumber(result.loads))
    assert.equal(9999, tonumber(result.waits))
    assert.equal(10000, tonumber(result.handed))
    assert.equal(0, tonumber(result.wrong))
  end)

  it("wakes or releases each waiter exactly once while they leave", function()
    for _ = 1, 20 do
      local result = ffi.new("struct peri_crowd_result")
      C.peri_crowd_one_key(store.ptr, 4, 2500, true, result)
      assert.equal(1, tonumber(result.loads))
      assert.equal(10000, tonumber(result.handed + result.left))
      store.remove("cold")
    end
  end)
end)
