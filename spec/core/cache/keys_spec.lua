local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("RemoveKeys", function()
  local mesh, keys
  before_each(function()
    mesh = support.mesh({ nodes = 3, groups = '{"scores":{"fallback":"fake","peer_timeout":"300ms"}}' })
    mesh:owner(S.SHIM_OWNER_CRC)
    keys = {}
    for i = 1, 60 do
      keys[i] = "key-" .. i
      mesh:set(keys[i], "x", nil, { node = i % 3 })
    end
  end)
  after_each(function()
    mesh:free()
  end)

  local function present()
    local count = 0
    for node = 0, 2 do
      for _, key in ipairs(keys) do
        if mesh:call("Peek", support.request("scores", key), { node = node }).status == 0 then
          count = count + 1
        end
      end
    end
    return count
  end

  it("removes at every owner", function()
    assert.equal(60, present())
    local answer = mesh:call("RemoveKeys", support.request("scores", keys), { node = 0 })
    assert.equal(0, answer.status)
    assert.equal("", answer.message)
    assert.equal(0, present())
  end)

  it("names the keys whose owner failed, in the order asked", function()
    mesh:stop(2)
    local answer = mesh:call("RemoveKeys", support.request("scores", keys), { node = 0 })
    assert.equal(0, answer.status)
    local failed = answer.fields[1]
    assert.is_true(#failed > 0 and #failed < 60)
    local at = 0
    for _, key in ipairs(failed) do
      local number = tonumber(key:match("%d+"))
      assert.is_true(number > at)
      at = number
      assert.equal(S.PERI_STATUS_UNAVAILABLE, mesh:remove(key, { node = 0 }).status)
    end
  end)

  it("takes no keys for nothing to do", function()
    assert.equal("", mesh:call("RemoveKeys", support.field(1, "scores")).message)
  end)

  it("takes a key twice for twice the same", function()
    local twice = { "key-1", "key-2", "key-1", "key-1" }
    assert.equal("", mesh:call("RemoveKeys", support.request("scores", twice), { node = 0 }).message)
    assert.equal(58, present())
    for node = 1, 2 do
      mesh:stop(node)
    end
    local owned, lost = 0, {}
    for _, key in ipairs(twice) do
      if mesh:remove(key, { node = 0 }).status == 0 then
        owned = owned + 1
      else
        lost[#lost + 1] = key
      end
    end
    local failed = mesh:call("RemoveKeys", support.request("scores", twice), { node = 0 }).fields[1] or {}
    assert.same(lost, failed)
    assert.equal(4 - owned, #failed)
  end)

  it("lets nobody join a load that is older", function()
    mesh:owner(1)
    mesh:hold(1, true)
    local old = mesh:start("Get", support.request("scores", "cold"), { node = 0, timeout = 20000 })
    mesh:await(function()
      return mesh:fetches(1) == 1
    end)
    assert.equal("", mesh:call("RemoveKeys", support.request("scores", { "cold" }), { node = 0 }).message)
    local new = mesh:start("Get", support.request("scores", "cold"), { node = 0, timeout = 20000 })
    mesh:await(function()
      return mesh:fetches(1) == 2
    end, "a load of its own")
    mesh:hold(1, false)
    assert.equal(0, mesh:finish(old).status)
    assert.equal(0, mesh:finish(new).status)
  end)

  it("removes here, and nowhere else, what came with a hop", function()
    mesh:owner(1)
    mesh:set("Tom", "theirs", nil, { node = 1 })
    mesh:set("Tom", "ours", nil, { node = 0, worker = -1, hop = true })
    local answer = mesh:call("RemoveKeys", support.request("scores", { "Tom" }), { node = 0, worker = -1, hop = true })
    assert.equal("", answer.message)
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom"), { node = 0 }).status)
    assert.equal("theirs", mesh:call("Peek", support.request("scores", "Tom"), { node = 1 }).value)
  end)

  it("removes 1,000 keys, with NUL bytes in them, at once", function()
    local many = {}
    for i = 1, 1000 do
      many[i] = "n\0" .. i
    end
    assert.equal("", mesh:call("RemoveKeys", support.request("scores", many), { node = 1 }).message)
    assert.equal(60, present())
  end)
end)

describe("RemoveKeys at a peer that lies", function()
  local mesh
  before_each(function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","peer_timeout":"400ms"}}' })
    mesh:liar()
  end)
  after_each(function()
    mesh:free()
  end)

  local function failed(what, says)
    mesh:lie(what, says)
    local answer = mesh:call("RemoveKeys", support.request("scores", { "a", "b", "c" }))
    assert.equal(0, answer.status)
    assert.is_false(S.peri_shim_mesh_busy(mesh.handle, 0))
    return answer.fields[1] or {}
  end

  it("believes what it says of the keys asked", function()
    assert.same({}, failed(S.SHIM_LIAR_SAYS, ""))
    assert.same({ "b" }, failed(S.SHIM_LIAR_SAYS, support.field(1, "b") .. support.field(1, "z")))
  end)

  it("names every key when the answer is worth nothing", function()
    local all = { "a", "b", "c" }
    assert.same(all, failed(S.SHIM_LIAR_SAYS, "\10\255"))
    assert.same(all, failed(S.SHIM_LIAR_SAYS, support.field(1, "z"):rep(1000000)))
    for _, what in ipairs({
      S.SHIM_LIAR_NOTHING,
      S.SHIM_LIAR_BARE_OK,
      S.SHIM_LIAR_HTML,
      S.SHIM_LIAR_PART,
      S.SHIM_LIAR_RESET,
      S.SHIM_LIAR_NO_END,
    }) do
      assert.same(all, failed(what))
    end
  end)
end)
