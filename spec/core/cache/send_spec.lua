local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("a write on its way to the owner", function()
  it("is counted as busy, and ends when its sidecar stops", function()
    local mesh = support.mesh({ nodes = 2, groups = '{"scores":{"fallback":"fake","peer_timeout":"30s"}}' })
    -- The owner is an address that takes no connection, or refuses it at once.
    mesh:owner(S.SHIM_OWNER_RING)
    mesh:peers(0, 2 ^ 31)
    local number = mesh:start("Set", support.request("scores", "Tom", "x"))
    assert.equal(S.PERI_STATUS_UNAVAILABLE, mesh:finish(number).status)
    assert.is_false(S.peri_shim_mesh_busy(mesh.handle, 0))
    mesh:free()
  end)

  it("carries the hop and is not sent on", function()
    local mesh = support.mesh({ nodes = 3 })
    S.peri_shim_policy_owner(mesh:policy(0), 1)
    S.peri_shim_policy_owner(mesh:policy(1), 2)
    S.peri_shim_policy_owner(mesh:policy(2), 0)
    assert.equal(0, mesh:set("Tom", "x", nil, { node = 0 }).status)
    assert.equal("x", mesh:call("Peek", support.request("scores", "Tom"), { node = 1 }).value)
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom"), { node = 2 }).status)
    mesh:free()
  end)

  it("ends with an error, and keeps nothing here, when the owner lies", function()
    local mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","peer_timeout":"400ms"}}' })
    mesh:liar()
    for _, what in ipairs({
      S.SHIM_LIAR_NOTHING,
      S.SHIM_LIAR_BARE_OK,
      S.SHIM_LIAR_HTML,
      S.SHIM_LIAR_PART,
      S.SHIM_LIAR_RESET,
      S.SHIM_LIAR_UNKNOWN,
      S.SHIM_LIAR_NO_END,
    }) do
      mesh:lie(what)
      for _, answer in ipairs({ mesh:set("Tom", "x"), mesh:remove("Tom") }) do
        assert.is_true(answer.status > 0, what)
        assert.truthy(answer.text:find("^owner [%d.:]+: %S"), what .. answer.text)
      end
    end
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom")).status)
    mesh:lie(S.SHIM_LIAR_SAYS, "\8")
    assert.equal(S.PERI_STATUS_INTERNAL, mesh:remove("Tom").status)
    mesh:lie(S.SHIM_LIAR_SAYS, "\8\1")
    assert.is_true(mesh:remove("Tom").removed)
    assert.is_false(S.peri_shim_mesh_busy(mesh.handle, 0))
    mesh:free()
  end)

  it("ends when its sidecar stops, while the owner says nothing", function()
    local mesh = support.mesh({ nodes = 1, groups = '{"scores":{"fallback":"fake","peer_timeout":"60s"}}' })
    mesh:liar()
    mesh:lie(S.SHIM_LIAR_NOTHING)
    mesh:start("Set", support.request("scores", "Tom", "x"))
    mesh:start("Remove", support.request("scores", "Ann"))
    mesh:start("RemoveKeys", support.request("scores", { "a", "b" }))
    mesh:start("Get", support.request("scores", "Bob"), { count = 3 })
    mesh:start("BatchGet", support.request("scores", { "a", "Bob", "a" }))
    mesh:await(function()
      return mesh:asked() == 5
    end)
    mesh:stop(0)
    mesh:drain()
    assert.equal(7, mesh:ended(S.PERI_STATUS_UNAVAILABLE))
    mesh:free()
  end)
end)
