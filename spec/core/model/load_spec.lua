local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/load.h", "model/peers.h", "model/snapshot.h" })

local S = 1000000000
local MINUTE = 60 * S

local function new()
  return ffi.gc(assert(C.peri_loads_new()), C.peri_loads_free)
end

local function get(loads, address)
  local out = ffi.new("struct peri_load *[1]")
  assert.equal(0, C.peri_loads_get(loads, cffi.slice(address), out))
  return out[0]
end

local function count(loads)
  return tonumber(C.peri_loads_count(loads))
end

local function snapshot(...)
  local list = { ... }
  local inits = ffi.new("struct peri_endpoint_init[?]", #list + 1)
  for i, address in ipairs(list) do
    inits[i - 1].address = cffi.slice(address)
  end
  local peers, out = ffi.new("struct peri_peers *[1]"), ffi.new("struct peri_snapshot *[1]")
  assert.equal(0, C.peri_peers_new("s", inits, #list, cffi.slice(""), peers, nil))
  assert.equal(0, C.peri_snapshot_new(1, peers, 1, out))
  C.peri_peers_unref(peers[0])
  return ffi.gc(out[0], C.peri_snapshot_unref)
end

local function call(load, now, latency, ok)
  C.peri_load_begin(load)
  C.peri_load_end(load, now, latency, ok ~= false)
end

describe("peri_loads", function()
  it("has one load for an address, however many there are", function()
    local loads, first = new(), {}
    for i = 1, 1000 do
      first[i] = get(loads, "10.0.0.1:" .. i)
    end
    for i = 1, 1000 do
      assert.is_true(first[i] == get(loads, "10.0.0.1:" .. i))
    end
    assert.equal(1000, count(loads))
    C.peri_loads_free(nil)
  end)

  it("forgets what nobody names nor used for ten minutes", function()
    local loads = new()
    local now = MINUTE
    get(loads, "a:1")
    get(loads, "b:1")
    call(get(loads, "c:1"), now, S)
    C.peri_load_begin(get(loads, "d:1"))
    get(loads, "e:1").holders = 1
    C.peri_loads_prune(loads, nil, now)
    assert.equal(5, count(loads))
    call(get(loads, "c:1"), now + 5 * MINUTE, S)
    local named = snapshot("b:1", "z:1")
    C.peri_loads_prune(loads, named, now + 10 * MINUTE)
    assert.equal(5, count(loads))
    C.peri_loads_prune(loads, named, now + 10 * MINUTE + 1)
    assert.equal(4, count(loads)) -- a is gone
    C.peri_loads_prune(loads, named, now + 21 * MINUTE)
    assert.equal(3, count(loads)) -- c as well
    C.peri_load_end(get(loads, "d:1"), now + 21 * MINUTE, 1, true)
    get(loads, "e:1").holders = 0
    C.peri_loads_prune(loads, nil, now + 22 * MINUTE)
    C.peri_loads_prune(loads, nil, now + 33 * MINUTE)
    assert.equal(0, count(loads))
  end)
end)

describe("peri_load", function()
  it("counts calls", function()
    local load = ffi.new("struct peri_load")
    C.peri_load_begin(load)
    C.peri_load_begin(load)
    assert.equal(2, load.inflight)
    C.peri_load_end(load, S, 5, true)
    C.peri_load_end(load, S, 5, false)
    assert.equal(0, load.inflight)
    assert.equal(1, C.peri_load_failures(load, S))
  end)

  it("takes a slower answer at once and faster ones slowly", function()
    local load = ffi.new("struct peri_load")
    assert.equal(0, tonumber(C.peri_load_latency_ns(load, S)))
    call(load, S, 1000000)
    assert.equal(1000000, tonumber(C.peri_load_latency_ns(load, S)))
    call(load, S, 9000000)
    assert.equal(9000000, tonumber(C.peri_load_latency_ns(load, S)))
    call(load, S, 1000000)
    assert.equal(9000000, tonumber(C.peri_load_latency_ns(load, S)))
    call(load, 11 * S, 1000000)
    assert.near(1000000 + 8000000 * math.exp(-1), tonumber(load.ewma_ns), 2)
  end)

  it("forgets a peak with time", function()
    local load = ffi.new("struct peri_load")
    call(load, S, 1000000)
    assert.near(1000000 * math.exp(-2), tonumber(C.peri_load_latency_ns(load, 21 * S)), 2)
    assert.equal(1000000, tonumber(C.peri_load_latency_ns(load, 0)))
  end)

  it("does not take a fast failure for speed", function()
    local load = ffi.new("struct peri_load")
    call(load, S, 1000000)
    call(load, 100 * S, 10, false)
    assert.equal(1000000, tonumber(load.ewma_ns))
    call(load, 100 * S, 2000000, false)
    assert.equal(2000000, tonumber(load.ewma_ns))
  end)

  it("halves failures every ten seconds", function()
    local load = ffi.new("struct peri_load")
    assert.equal(0, C.peri_load_failures(load, S))
    call(load, S, 10, false)
    call(load, S, 10, false)
    assert.near(2, C.peri_load_failures(load, S), 1e-9)
    assert.near(1, C.peri_load_failures(load, 11 * S), 1e-9)
    call(load, 11 * S, 10, false)
    assert.near(2, C.peri_load_failures(load, 11 * S), 1e-9)
    assert.near(0.5, C.peri_load_failures(load, 31 * S), 1e-9)
  end)
end)
