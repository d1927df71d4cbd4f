local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/peers.h", "base/error.h", "base/json.h" })

local function json(text)
  local out = ffi.new("struct peri_json *[1]")
  assert(C.peri_json_parse(cffi.slice(text), out, nil) == 0)
  return out[0]
end

--- @param list table[] { address, zone =, weight =, metadata = JSON text }
local function build(list, self)
  local inits = ffi.new("struct peri_endpoint_init[?]", #list + 1)
  local keep = {}
  for i, item in ipairs(list) do
    inits[i - 1].address = cffi.slice(item[1])
    inits[i - 1].zone = cffi.slice(item.zone or "")
    inits[i - 1].weight = item.weight or 0
    inits[i - 1].suspect = item.suspect or false
    if item.metadata then
      keep[#keep + 1] = json(item.metadata)
      inits[i - 1].metadata = keep[#keep]
    end
  end
  local out = ffi.new("struct peri_peers *[1]")
  local problem = ffi.new("struct peri_problem")
  local rc = C.peri_peers_new("GroupCache", inits, #list, cffi.slice(self or ""), out, problem)
  for _, item in ipairs(keep) do
    C.peri_json_unref(item)
  end
  if rc < 0 then
    return nil, rc, ffi.string(problem.text)
  end
  return ffi.gc(out[0], C.peri_peers_unref)
end

local function addresses(peers)
  local list = {}
  for i = 0, tonumber(C.peri_peers_count(peers)) - 1 do
    list[i + 1] = ffi.string(C.peri_peers_at(peers, i).address)
  end
  return list
end

describe("peri_peers", function()
  it("sorts by address and keeps the last of one given twice", function()
    local peers = assert(build({
      { "10.0.0.3:1", weight = 7, metadata = '{"a":1}' },
      { "10.0.0.1:1" },
      { "10.0.0.3:1", zone = "b" },
      { "10.0.0.2:1" },
    }))
    assert.same({ "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }, addresses(peers))
    local third = C.peri_peers_at(peers, 2)
    assert.equal("b", ffi.string(third.zone))
    assert.equal(1, third.weight)
    assert.is_true(third.metadata == nil)
    assert.is_true(C.peri_peers_at(peers, 3) == nil)
    assert.equal("GroupCache", ffi.string(C.peri_peers_service(peers)))
  end)

  it("knows this sidecar by its address", function()
    local peers = assert(build({ { "10.0.0.2:1" }, { "10.0.0.1:1" } }, "10.0.0.2:1"))
    assert.equal(1, C.peri_peers_self(peers))
    assert.is_true(C.peri_peers_at(peers, 1).self)
    assert.is_false(C.peri_peers_at(peers, 0).self)
    assert.equal(-1, C.peri_peers_self((build({ { "10.0.0.2:1" } }, "10.0.0.9:1"))))
    assert.equal(-1, C.peri_peers_self((build({ { "10.0.0.2:1" } }))))
  end)

  it("knows sidecars by their protocol", function()
    local peers = assert(build({
      { "10.0.0.1:1", metadata = '{"protocol":"perigee"}' },
      { "10.0.0.2:1", metadata = '{"protocol":"grpc"}' },
      { "10.0.0.3:1", metadata = '{"protocol":7}' },
      { "10.0.0.4:1", metadata = '["perigee"]' },
      { "10.0.0.5:1" },
    }))
    for i = 0, 4 do
      assert.equal(i == 0, C.peri_peers_at(peers, i).sidecar)
    end
  end)

  it("names an address that does not parse", function()
    local peers, code, words = build({ { "10.0.0.1:1", metadata = "{}" }, { "nowhere" } })
    assert.is_nil(peers)
    assert.equal(C.PERI_EINVAL, code)
    assert.matches('"nowhere"', words, 1, true)
  end)

  it("may be empty, and has no ring then", function()
    local peers = assert(build({}))
    local ring = ffi.new("const struct peri_ring *[1]")
    assert.equal(0, tonumber(C.peri_peers_count(peers)))
    assert.equal(C.PERI_EINVAL, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 50, ring))
  end)

  it("compares addresses, zones, weights and metadata", function()
    local base = { { "10.0.0.1:1", zone = "a", weight = 2, metadata = '{"k":[1]}' } }
    local one = assert(build(base))
    assert.is_true(C.peri_peers_equal(one, (build(base, "10.0.0.1:1"))))
    for _, other in ipairs({
      {},
      { { "10.0.0.2:1", zone = "a", weight = 2, metadata = '{"k":[1]}' } },
      { { "10.0.0.1:1", zone = "b", weight = 2, metadata = '{"k":[1]}' } },
      { { "10.0.0.1:1", zone = "a", weight = 3, metadata = '{"k":[1]}' } },
      { { "10.0.0.1:1", zone = "a", weight = 2, metadata = '{"k":[2]}' } },
      { { "10.0.0.1:1", zone = "a", weight = 2 } },
      { { "10.0.0.1:1", zone = "a", weight = 2, metadata = '{"k":[1]}', suspect = true } },
    }) do
      assert.is_false(C.peri_peers_equal(one, (build(other))))
    end
  end)

  it("builds each ring once", function()
    local peers = assert(build({ { "10.0.0.1:1" }, { "10.0.0.2:1" } }))
    local first = ffi.new("const struct peri_ring *[1]")
    local second = ffi.new("const struct peri_ring *[1]")
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 0, first))
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 50, second))
    assert.is_true(first[0] == second[0])
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 51, second))
    assert.is_false(first[0] == second[0])
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_MAGLEV, 1, first))
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_MAGLEV, 2, second))
    assert.is_true(first[0] == second[0])
  end)

  it("bounds the rings that a policy can ask for", function()
    local peers = assert(build({ { "10.0.0.1:1" } }))
    local ring = ffi.new("const struct peri_ring *[1]")
    for replicas = 1, 32 do
      assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, replicas, ring))
    end
    assert.equal(C.PERI_ELIMIT, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 33, ring))
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 32, ring))
  end)

  it("shows which endpoints are only suspected to live", function()
    local peers = assert(build({ { "10.0.0.2:1", suspect = true }, { "10.0.0.1:1" } }))
    assert.is_false(C.peri_peers_at(peers, 0).suspect)
    assert.is_true(C.peri_peers_at(peers, 1).suspect)
  end)

  it("builds the rings of the snapshot before ahead of time", function()
    local list = {}
    for i = 1, 4 do
      list[i] = { "10.0.0." .. i .. ":1" }
    end
    local before, peers = assert(build({ list[1], list[2] })), assert(build(list))
    local ring = ffi.new("const struct peri_ring *[1]")
    for replicas = 1, 32 do
      assert.equal(0, C.peri_peers_ring(before, C.PERI_RING_CRC32, replicas, ring))
    end
    assert.equal(0, C.peri_peers_prepare(peers, before))
    -- All 32 are there: no other fits, and those are found.
    assert.equal(C.PERI_ELIMIT, C.peri_peers_ring(peers, C.PERI_RING_MAGLEV, 0, ring))
    for replicas = 1, 32 do
      assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, replicas, ring))
    end
    local empty = assert(build({}))
    assert.equal(0, C.peri_peers_prepare(empty, before))
    assert.equal(0, C.peri_peers_prepare(before, empty))
    assert.equal(0, C.peri_peers_prepare(before, before))
  end)

  it("forgets rings that nobody asks for any more", function()
    local ring = ffi.new("const struct peri_ring *[1]")
    local before = assert(build({ { "10.0.0.1:1" } }))
    for replicas = 1, 32 do
      assert.equal(0, C.peri_peers_ring(before, C.PERI_RING_CRC32, replicas, ring))
    end
    local function follow()
      local peers = assert(build({ { "10.0.0.1:1" } }))
      assert.equal(0, C.peri_peers_prepare(peers, before))
      before = peers
      return C.peri_peers_ring(peers, C.PERI_RING_CRC32, 1, ring)
    end
    for _ = 1, 8 do
      assert.equal(0, follow())
      assert.equal(C.PERI_ELIMIT, C.peri_peers_ring(before, C.PERI_RING_CRC32, 33, ring))
    end
    assert.equal(0, follow())
    assert.equal(0, C.peri_peers_ring(before, C.PERI_RING_CRC32, 33, ring))
  end)

  it("finds owners by the golden ring", function()
    local peers = assert(build({ { "127.0.0.1:9999" }, { "127.0.0.1:10000" }, { "127.0.0.1:10001" } }))
    local ring = ffi.new("const struct peri_ring *[1]")
    assert.equal(0, C.peri_peers_ring(peers, C.PERI_RING_CRC32, 0, ring))
    local owner = C.peri_peers_at(peers, C.peri_ring_owner(ring[0], cffi.slice("Tom")))
    assert.equal("127.0.0.1:10000", ffi.string(owner.address))
  end)
end)
