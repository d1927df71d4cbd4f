local support = require("spec.core.cache.mesh_support")
local cffi = require("spec.support.ffi")
local S = support.status
local C = cffi.load({ "cache/cache.h" })

describe("a worker's cache", function()
  local mesh
  after_each(function()
    if mesh then
      mesh:free()
      mesh = nil
    end
  end)

  it("knows its methods", function()
    for _, name in ipairs({ "Get", "BatchGet", "Peek", "Set", "Remove", "RemoveKeys" }) do
      assert.is_true(C.peri_cache_method_of(cffi.slice("/groupcachepb.GroupCache/" .. name), false) ~= nil)
    end
    for _, path in ipairs({ "/groupcachepb.GroupCache/", "/groupcachepb.GroupCache/Gets", "/x/Get", "", "Get" }) do
      assert.is_true(C.peri_cache_method_of(cffi.slice(path), false) == nil)
    end
    mesh = support.mesh({ peers = false })
    assert.equal(S.PERI_STATUS_UNIMPLEMENTED, mesh:call("Nope", "").status)
  end)

  it("answers control calls on the mesh only as a hop", function()
    mesh = support.mesh({})
    for _, method in ipairs({ "Set", "Remove", "RemoveKeys" }) do
      local message = support.request("scores", "Tom", "x")
      assert.equal(S.PERI_STATUS_UNIMPLEMENTED, mesh:call(method, message, { worker = -1 }).status)
      assert.equal(S.PERI_STATUS_OK, mesh:call(method, message, { worker = -1, hop = true }).status)
      assert.equal(S.PERI_STATUS_OK, mesh:call(method, message).status)
    end
    assert.equal("VALUE-OF Ann", mesh:get("Ann", { worker = -1 }).value)
  end)

  it("never sends a hop on, and ignores it from the application", function()
    mesh = support.mesh({ nodes = 3 })
    mesh:owner(1)
    assert.equal("VALUE-OF Tom", mesh:get("Tom", { node = 0, worker = -1, hop = true }).value)
    assert.equal(1, mesh:fetches(0))
    assert.equal(0, mesh:fetches(1))
    assert.equal("VALUE-OF Ann", mesh:get("Ann", { node = 0, hop = true }).value)
    assert.equal(1, mesh:fetches(1))
    assert.equal("VALUE-OF Bob", mesh:get("Bob", { node = 0, worker = -1 }).value)
    assert.equal(2, mesh:fetches(1))
  end)

  it("does not loop or hang when peer lists differ", function()
    mesh = support.mesh({ nodes = 2, groups = '{"scores":{"fallback":"fake","peer_timeout":"10s"}}' })
    -- Each believes that the other owns every key.
    S.peri_shim_policy_owner(mesh:policy(0), 1)
    S.peri_shim_policy_owner(mesh:policy(1), 0)
    for i = 1, 50 do
      local a = mesh:start("Get", support.request("scores", "key " .. i), { node = 0 })
      local b = mesh:start("Get", support.request("scores", "key " .. i), { node = 1 })
      assert.equal(0, mesh:finish(a).status)
      assert.equal(0, mesh:finish(b).status)
    end
    assert.is_true(mesh:fetches(0) <= 50 and mesh:fetches(1) <= 50)
    assert.equal(0, mesh:set("Tom", "new", nil, { node = 0 }).status)
    assert.equal(0, mesh:remove("Tom", { node = 1 }).status)
  end)

  it("uses the built-in ring when a picker fails or talks nonsense", function()
    mesh = support.mesh({ nodes = 3 })
    for _, owner in ipairs({ S.SHIM_OWNER_RING, S.SHIM_OWNER_NONSENSE }) do
      mesh:owner(owner)
      for i = 1, 30 do
        local node = i % 3
        assert.equal(0, mesh:get("key " .. i, { node = node }).status)
      end
    end
    assert.equal(30, mesh:fetches(0) + mesh:fetches(1) + mesh:fetches(2))
    assert.is_true(mesh:fetches(0) > 0 and mesh:fetches(1) > 0 and mesh:fetches(2) > 0)
  end)

  it("owns every key when it is alone", function()
    mesh = support.mesh({ nodes = 2, peers = false })
    mesh:owner(1)
    mesh:get("Tom", { node = 0 })
    mesh:peers(0, 1)
    mesh:get("Ann", { node = 0 })
    mesh:peers(0, 0)
    mesh:get("Bob", { node = 0 })
    assert.equal(3, mesh:fetches(0))
    assert.equal(0, mesh:fetches(1))
  end)

  it("follows its peers as they change", function()
    mesh = support.mesh({ nodes = 3 })
    mesh:owner(2)
    mesh:get("Tom", { node = 0 })
    assert.equal(1, mesh:fetches(2))
    mesh:peers(0, 3)
    mesh:owner(1)
    mesh:get("Tom", { node = 0 })
    assert.equal(1, mesh:fetches(1))
    mesh:peers(0, 3)
    mesh:get("Tom", { node = 0 })
    assert.equal(1, mesh:fetches(1))
  end)

  it("ends what is under way, whatever becomes of its peers", function()
    mesh = support.mesh({ nodes = 3, workers = 2, groups = '{"scores":{"fallback":"fake","peer_timeout":"20s"}}' })
    mesh:owner(2)
    mesh:hold(2, true)
    local numbers = {}
    for i, mask in ipairs({ 7, 3, 1, 0, 2 ^ 31, 7 }) do
      local key = "key " .. i
      numbers[i] = mesh:start("Get", support.request("scores", key), { node = 0, worker = i % 2, count = 5 })
      mesh:start("BatchGet", support.request("scores", { key, "other " .. i, key }), { node = 0, worker = 1 })
      mesh:await(function()
        return mesh:metric(0, "perigee_cache_joined_total") >= 6 * i
      end)
      mesh:peers(0, mask)
      mesh:peers(0, 7)
    end
    for _, mask in ipairs({ 3, 0, 5, 7 }) do
      mesh:peers(2, mask)
    end
    mesh:hold(2, false)
    mesh:drain()
    assert.equal(36, mesh:ended(S.PERI_STATUS_OK))
    for i, number in ipairs(numbers) do
      assert.equal("VALUE-OF key " .. i, mesh:result(number).value)
    end
    assert.is_false(S.peri_shim_mesh_busy(mesh.handle, 0))
  end)

  it("asks the fallback when the owner stops in the middle of a load", function()
    mesh = support.mesh({ nodes = 3, workers = 2, groups = '{"scores":{"fallback":"fake","peer_timeout":"20s"}}' })
    mesh:owner(1)
    mesh:hold(1, true)
    for _, node in ipairs({ 0, 2 }) do
      for worker = 0, 1 do
        mesh:start("Get", support.request("scores", "Tom"), { node = node, worker = worker, count = 50 })
      end
    end
    mesh:await(function()
      return mesh:fetches(1) == 1
        and mesh:metric(0, "perigee_cache_joined_total") == 99
        and mesh:metric(2, "perigee_cache_joined_total") == 99
    end)
    mesh:stop(1)
    mesh:drain()
    assert.equal(200, mesh:ended(S.PERI_STATUS_OK))
    assert.equal(1, mesh:fetches(0))
    assert.equal(1, mesh:fetches(2))
  end)

  it("tells all its own and foreign waiters when it stops", function()
    mesh = support.mesh({ nodes = 2, workers = 3, groups = '{"scores":{"fallback":"fake","peer_timeout":"60s"}}' })
    mesh:owner(1)
    mesh:hold(1, true)
    for round = 1, 10 do
      for worker = 0, 2 do
        mesh:start("Get", support.request("scores", "key " .. round), { worker = worker, count = 10 })
        mesh:start("BatchGet", support.request("scores", { "key 1", "key " .. round }), { worker = worker })
      end
    end
    mesh:await(function()
      return mesh:fetches(1) == 10
    end)
    mesh:stop(0)
    mesh:drain()
    -- A batch may be told by a worker that stops before its own, key by key.
    local batches = mesh:ended(S.PERI_STATUS_OK)
    assert.is_true(batches <= 30)
    assert.equal(330 - batches, mesh:ended(S.PERI_STATUS_UNAVAILABLE))
  end)

  it("does not serve what it owned before, but owns no more", function()
    mesh = support.mesh({ nodes = 2 })
    mesh:owner(0)
    mesh:set("Tom", "old")
    mesh:owner(1)
    mesh:set("Tom", "new", nil, { node = 1 })
    assert.equal("new", mesh:get("Tom", { node = 0 }).value)
  end)

  it("says which policy could not be made", function()
    local ok, words = pcall(support.mesh, { groups = '{"scores":{"picker":"nowhere"}}' })
    assert.is_false(ok)
    assert.truthy(words:find("ENOTFOUND groups.scores.picker: no picker nowhere", 1, true))
  end)
end)
