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
end)
