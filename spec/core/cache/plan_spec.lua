local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("a plan for other groups", function()
  local mesh
  after_each(function()
    mesh:free()
  end)

  local function get(key, group)
    return mesh:get(key, { group = group })
  end

  local function fill(bytes)
    for i = 1, 3000 do
      mesh:start("Set", support.request("scores", "key " .. i, ("x"):rep(bytes)))
      -- Not all at once: the client would be too busy to connect in time.
      if i % 100 == 0 then
        mesh:drain()
      end
    end
    assert.equal(0, mesh:ended(S.PERI_STATUS_UNAVAILABLE))
  end

  it("keeps groups by name, adds new ones and lets others go", function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake"},"old":{"fallback":"fake"}}', workers = 2 })
    mesh:set("Tom", "kept")
    assert.equal("VALUE-OF Tom", get("Tom", "old").value)
    mesh:reload('{"fresh":{"fallback":"fake"},"scores":{"fallback":"fake"}}')
    assert.equal("kept", get("Tom", "scores").value)
    assert.equal("VALUE-OF Tom", get("Tom", "fresh").value)
    local answer = get("Tom", "old")
    assert.equal(S.PERI_STATUS_NOT_FOUND, answer.status)
    assert.equal("group old not found", answer.text)
    mesh:reload("{}")
    assert.equal(S.PERI_STATUS_NOT_FOUND, get("Tom", "scores").status)
    assert.equal(0, mesh:alive())
    mesh:sweep_all()
  end)

  it("refuses another number of shards, and changes nothing then", function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","shards":4}}' })
    mesh:set("Tom", "kept")
    local alive = mesh:alive()
    local none, words = mesh:prepare('{"first":{},"scores":{"fallback":"fake","shards":5}}')
    assert.is_nil(none)
    assert.equal("ECONFIG groups.scores.shards: cannot change while it runs", words)
    assert.equal("kept", mesh:get("Tom").value)
    assert.equal(alive, mesh:alive())
    mesh:sweep_all()
    assert.equal(S.PERI_STATUS_NOT_FOUND, get("Tom", "first").status)
  end)

  it("drops what was planned but not taken", function()
    mesh = support.mesh({ workers = 3 })
    mesh:set("Tom", "kept")
    for i = 1, 20 do
      assert.is_true(mesh:prepare(('{"scores":{"fallback":"fake"},"new %d":{"fallback":"fake"}}'):format(i % 3)))
      S.peri_shim_mesh_abort(mesh.handle, 0)
    end
    mesh:sweep_all()
    assert.equal(2 * 3, mesh:alive())
    assert.equal("kept", mesh:get("Tom").value)
    -- One that is never taken nor dropped goes with the cache.
    assert.is_true(mesh:prepare('{"other":{"fallback":"fake"}}'))
  end)

  it("frees what gone groups hold in the slices of the sweep, and a group that comes back is new", function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","bytes":"64MiB"}}' })
    fill(500)
    mesh:reload("{}")
    local groups, bytes = mesh:retired()
    assert.equal(1, groups)
    assert.is_true(bytes > 3000 * 500)
    assert.equal(0, mesh:metric(0, "perigee_cache_entries"))
    S.peri_shim_mesh_sweep(mesh.handle, 0)
    local _, left = mesh:retired()
    assert.is_true(left < bytes and left > bytes / 2)
    mesh:reload('{"scores":{"fallback":"fake","shards":2}}')
    assert.equal("VALUE-OF key 1", mesh:get("key 1").value)
    mesh:sweep_all()
    assert.equal("VALUE-OF key 1", mesh:get("key 1").value)
    assert.equal(1, mesh:metric(0, "perigee_cache_entries"))
    assert.equal(1, mesh:fetches(0))
  end)

  it("gives a group other bytes, and shrinks it in the slices of the sweep", function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","bytes":"64MiB","shards":1}}' })
    fill(1000)
    mesh:reload('{"scores":{"fallback":"fake","bytes":"1MiB","shards":1}}')
    assert.equal(3000, mesh:metric(0, "perigee_cache_entries"))
    S.peri_shim_mesh_sweep(mesh.handle, 0)
    local entries = mesh:metric(0, "perigee_cache_entries")
    assert.is_true(entries < 3000 and entries > 1000)
    mesh:await(function()
      return S.peri_shim_mesh_sweep(mesh.handle, 0) == 0
    end, "the sweep")
    assert.is_true(mesh:metric(0, "perigee_cache_bytes") <= 2 ^ 20)
    assert.is_true(mesh:metric(0, "perigee_cache_entries") > 700)
    assert.equal(("x"):rep(1000), mesh:get("key 3000").value)
    assert.equal(0, mesh:fetches(0))
    mesh:reload('{"scores":{"fallback":"fake","bytes":"64MiB","shards":1}}')
    fill(1000)
    assert.equal(3000, mesh:metric(0, "perigee_cache_entries"))
  end)
end)
