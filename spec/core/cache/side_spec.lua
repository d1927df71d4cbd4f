local support = require("spec.core.cache.mesh_support")
local S = support.status

local function groups(text)
  return '{"scores":{' .. text .. "}}"
end

describe("a worker's side of a group", function()
  local mesh
  after_each(function()
    mesh:free()
  end)

  local function updates()
    return S.peri_shim_policy_updates(mesh:policy(0))
  end

  local function made()
    return S.peri_shim_policy_made(mesh:policy(0))
  end

  it("keeps pickers and fallbacks whose policy is the same", function()
    mesh = support.mesh({ nodes = 2, groups = groups('"fallback":{"1":"fake","a":1,"b":2},"picker":"ring_fnv"') })
    local before, heard = made(), updates()
    mesh:reload(groups('"fallback":{"b":2,"a":1,"1":"fake"},"picker":["ring_fnv"],"ttl":"9s"'))
    assert.equal(before, made())
    mesh:reload(groups('"fallback":{"1":"fake","a":1,"b":3},"picker":"ring_fnv"'))
    assert.equal(before + 1, made())
    assert.equal(heard, updates())
    mesh:reload(groups('"picker":"ring_fnv"'))
    assert.equal(1, mesh:alive())
    mesh:reload(groups('"fallback":"fake"'))
    assert.equal(2, mesh:alive())
    assert.equal(heard + 1, updates())
  end)

  it("tells a new picker of the peers before it is used, also of those that change meanwhile", function()
    mesh = support.mesh({ nodes = 3, groups = groups('"fallback":"fake","picker":"ring_fnv"') })
    mesh:owner(2)
    local heard = updates()
    assert.is_true(mesh:prepare(groups('"fallback":"fake","picker":"other"')))
    assert.equal(heard + 1, updates())
    mesh:peers(0, 5)
    assert.equal(heard + 3, updates())
    S.peri_shim_mesh_commit(mesh.handle, 0)
    mesh:peers(0, 5)
    assert.equal(heard + 3, updates())
    mesh:get("Tom")
    assert.equal(1, mesh:fetches(2))
    mesh:peers(0, 7)
    assert.equal(heard + 4, updates())
    -- A seat that both configurations have hears once.
    assert.is_true(mesh:prepare(groups('"fallback":"fake","picker":"other","ttl":"1s"')))
    mesh:peers(0, 6)
    assert.equal(heard + 5, updates())
    S.peri_shim_mesh_abort(mesh.handle, 0)
  end)

  it("refuses what cannot be made, and leaves all as it was", function()
    mesh = support.mesh({ nodes = 2, workers = 2 })
    mesh:owner(1)
    local alive = mesh:alive()
    for words, text in pairs({
      ["ENOTFOUND groups.b.picker: no picker nowhere"] = '{"a":{"fallback":"x"},"b":{"picker":"nowhere"}}',
      ["ENOTFOUND groups.b.fallback: no fallback nowhere"] = '{"a":{"fallback":"x"},"b":{"fallback":"nowhere"}}',
      ["ESCRIPT groups.scores.picker: deaf does not take the present peers"] = groups('"fallback":"fake","picker":"deaf"'),
    }) do
      local none, told = mesh:prepare(text)
      assert.is_nil(none)
      assert.equal(words, told)
      assert.equal(alive, mesh:alive())
    end
    mesh:sweep_all()
    assert.equal("VALUE-OF Tom", mesh:get("Tom").value)
    assert.equal(1, mesh:fetches(1))
  end)

  it("uses the lifetimes of the present configuration", function()
    mesh = support.mesh({ groups = groups('"fallback":"fake","ttl":"1h","negative_ttl":"1h"') })
    local function left(key)
      return tonumber((mesh:get(key).fields[3] or { 0 })[1] - support.now()) / 1e9
    end
    mesh:get("missing a")
    assert.is_true(left("a") > 3500)
    mesh:reload(groups('"fallback":"fake","ttl":"2h","negative_ttl":"0s"'))
    assert.is_true(left("b") > 7100)
    assert.is_true(left("a") < 3700)
    mesh:set("c", "x")
    assert.is_true(left("c") > 7100)
    local fetches = mesh:fetches(0)
    mesh:get("missing b")
    mesh:get("missing b")
    mesh:get("missing a")
    assert.equal(fetches + 2, mesh:fetches(0))
  end)

  it("lets loads under way end with their fallback, for everybody who waits", function()
    mesh = support.mesh({ workers = 3 })
    mesh:hold(0, true)
    for worker = 0, 2 do
      mesh:start("Get", support.request("scores", "Tom"), { worker = worker, count = 10 })
      mesh:start("BatchGet", support.request("scores", { "Tom", "Ann" }), { worker = worker })
    end
    mesh:await(function()
      return mesh:fetches(0) == 2 and mesh:metric(0, "perigee_cache_joined_total") == 34
    end)
    mesh:reload(groups('"fallback":"other"'))
    mesh:reload("{}")
    mesh:reload(groups('"fallback":"third"'))
    -- The group is a new one: nobody joins what is loaded for the old one.
    mesh:start("Get", support.request("scores", "Tom"), { worker = 1 })
    mesh:await(function()
      return mesh:fetches(0) == 3
    end)
    for _ = 1, 100 do
      S.peri_shim_mesh_sweep(mesh.handle, 0)
    end
    assert.equal(1, (mesh:retired()))
    mesh:hold(0, false)
    mesh:drain()
    assert.equal(34, mesh:ended(S.PERI_STATUS_OK))
    mesh:sweep_all()
    assert.equal(6, mesh:alive())
  end)

  it("ends waits of one worker for a load of another that has gone on", function()
    mesh = support.mesh({ workers = 2 })
    mesh:hold(0, true)
    local first = mesh:start("Get", support.request("scores", "Tom"), { worker = 0 })
    mesh:await(function()
      return mesh:fetches(0) == 1
    end)
    assert.is_true(mesh:prepare("{}"))
    S.peri_shim_mesh_commit_some(mesh.handle, 0, 1)
    local second = mesh:start("Get", support.request("scores", "Tom"), { worker = 1, count = 2 })
    mesh:await(function()
      return mesh:metric(0, "perigee_cache_joined_total") == 2
    end)
    mesh:cancel(second + 1)
    S.peri_shim_mesh_commit(mesh.handle, 0)
    mesh:hold(0, false)
    assert.equal("VALUE-OF Tom", mesh:finish(first).value)
    assert.equal("VALUE-OF Tom", mesh:finish(second).value)
    mesh:sweep_all()
  end)

  it("ends what goes to owners, whatever becomes of the group", function()
    mesh = support.mesh({ groups = groups('"peer_timeout":"60s"') })
    mesh:liar()
    mesh:lie(S.SHIM_LIAR_NOTHING)
    mesh:start("Set", support.request("scores", "Tom", "x"))
    mesh:start("Remove", support.request("scores", "Ann"))
    mesh:start("RemoveKeys", support.request("scores", { "a", "b" }))
    mesh:start("Get", support.request("scores", "Bob"), { count = 3 })
    mesh:await(function()
      return mesh:asked() == 4
    end)
    mesh:reload('{"other":{"peer_timeout":"10ms"}}')
    assert.equal(6, S.peri_shim_mesh_open(mesh.handle))
    mesh:stop(0)
    mesh:drain()
    assert.equal(6, mesh:ended(S.PERI_STATUS_UNAVAILABLE))
  end)

  it("answers from all workers while groups come and go", function()
    mesh = support.mesh({ nodes = 2, workers = 3 })
    mesh:owner(S.SHIM_OWNER_CRC)
    local texts = {
      groups('"fallback":"fake"') ,
      groups('"fallback":"other","ttl":"1s","bytes":"1MiB"'),
      '{"extra":{"fallback":"fake"},"scores":{"fallback":"fake","picker":"ring_fnv"}}',
    }
    for round = 1, 60 do
      for worker = 0, 2 do
        mesh:start("Get", support.request("scores", "key " .. round % 7), { node = round % 2, worker = worker, count = 3 })
        mesh:start("Set", support.request("scores", "key " .. round % 5, "VALUE-OF"), { worker = worker })
      end
      assert.is_true(mesh:prepare(texts[round % 3 + 1], round % 2))
      mesh:step(1)
      if round % 5 == 0 then
        S.peri_shim_mesh_abort(mesh.handle, round % 2)
      else
        S.peri_shim_mesh_commit(mesh.handle, round % 2)
      end
      S.peri_shim_mesh_sweep(mesh.handle, round % 2)
    end
    mesh:drain()
    assert.equal(60 * 12, mesh:ended(S.PERI_STATUS_OK))
    -- With the group itself coming and going, what was answered is a value or the
    -- word that there is no such group.
    for round = 1, 60 do
      for worker = 0, 2 do
        mesh:start("Get", support.request("scores", "again " .. round % 7), { worker = worker, count = 3 })
      end
      mesh:reload(round % 2 == 0 and texts[1] or "{}")
      S.peri_shim_mesh_sweep(mesh.handle, 0)
    end
    mesh:drain()
    assert.equal(60 * 21, mesh:ended(S.PERI_STATUS_OK) + mesh:ended(S.PERI_STATUS_NOT_FOUND))
    mesh:sweep_all(0)
    mesh:sweep_all(1)
  end)
end)
