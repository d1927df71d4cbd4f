local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("a cache's groups", function()
  local mesh
  before_each(function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","bytes":"64KiB","shards":2},"other":{}}', peers = false })
  end)
  after_each(function()
    mesh:free()
  end)

  it("keep their keys apart", function()
    mesh:set("Tom", "1")
    mesh:call("Set", support.request("other", "Tom", "2"))
    assert.equal("1", mesh:get("Tom").value)
    assert.equal("2", mesh:get("Tom", { group = "other" }).value)
    mesh:remove("Tom")
    assert.equal("2", mesh:get("Tom", { group = "other" }).value)
  end)

  -- groupcache's TestCacheEviction.
  it("push out what was not used, and load it again", function()
    mesh:get("Tom")
    assert.equal(1, mesh:metric(0, "perigee_cache_entries"))
    for i = 1, 200 do
      mesh:set("filler " .. i, ("x"):rep(1000))
    end
    assert.is_true(mesh:metric(0, "perigee_cache_evictions_total") > 100)
    assert.is_true(mesh:metric(0, "perigee_cache_bytes") <= 65536)
    mesh:get("Tom")
    assert.equal(2, mesh:fetches(0))
  end)

  it("drop what has expired while nobody asks", function()
    S.peri_shim_policy_ttl(mesh:policy(0), 200e6, -1)
    for i = 1, 20 do
      mesh:get("key " .. i)
    end
    assert.equal(20, mesh:metric(0, "perigee_cache_entries"))
    local removed = 0
    mesh:await(function()
      removed = removed + tonumber(S.peri_shim_mesh_sweep(mesh.handle, 0))
      return removed == 20
    end, "the sweep")
    assert.equal(0, mesh:metric(0, "perigee_cache_entries"))
    assert.equal(20, mesh:metric(0, "perigee_cache_expired_total"))
  end)

  it("sweep nothing when there are none", function()
    local bare = support.mesh({ groups = "{}", peers = false })
    assert.equal(0, tonumber(S.peri_shim_mesh_sweep(bare.handle, 0)))
    bare:free()
  end)

  it("may have any name that is UTF-8", function()
    local names = { "größe", 'a"b', "a b", "a\\b", ("g"):rep(200) }
    local groups = {}
    for _, name in ipairs(names) do
      groups[#groups + 1] = '"' .. name:gsub('[\\"]', "\\%0") .. '":{"fallback":"fake"}'
    end
    local odd = support.mesh({ groups = "{" .. table.concat(groups, ",") .. "}", peers = false })
    for _, name in ipairs(names) do
      assert.equal("VALUE-OF Tom", odd:get("Tom", { group = name }).value)
      local label = 'group="' .. name:gsub('[\\"]', "\\%0") .. '"'
      assert.equal(1, odd:metric(0, "perigee_cache_entries", label))
    end
    for _, name in ipairs({ "größe\0", "\0größe", "grö", "größe " }) do
      local answer = odd:get("Tom", { group = name })
      assert.equal(S.PERI_STATUS_NOT_FOUND, answer.status)
    end
    assert.equal(S.PERI_STATUS_INVALID_ARGUMENT, odd:get("Tom", { group = "gr\195" }).status)
    odd:free()
  end)
end)
