local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("BatchGet", function()
  local mesh
  before_each(function()
    mesh = support.mesh({ nodes = 3 })
    mesh:owner(S.SHIM_OWNER_CRC)
  end)
  after_each(function()
    mesh:free()
  end)

  local function items(answer)
    local out = {}
    for i, item in ipairs(answer.fields[1] or {}) do
      local fields = support.fields(item)
      out[i] = {
        key = fields[1] and fields[1][1] or "",
        value = fields[2] and fields[2][1] or "",
        code = fields[4] and tonumber(fields[4][1]) or 0,
      }
    end
    return out
  end

  it("answers each key with a code of its own, in order", function()
    local keys = { "Tom", "missing", "", "fail", "Tom", "empty", "\255", "Ann" }
    local answer = mesh:call("BatchGet", support.request("scores", keys))
    assert.equal(0, answer.status)
    local expected = {
      { key = "Tom", value = "VALUE-OF Tom", code = 0 },
      { key = "missing", value = "", code = S.PERI_STATUS_NOT_FOUND },
      { key = "", value = "", code = S.PERI_STATUS_INVALID_ARGUMENT },
      { key = "fail", value = "", code = S.PERI_STATUS_INTERNAL },
      { key = "Tom", value = "VALUE-OF Tom", code = 0 },
      { key = "empty", value = "", code = 0 },
      { key = "\255", value = "", code = S.PERI_STATUS_INVALID_ARGUMENT },
      { key = "Ann", value = "VALUE-OF Ann", code = 0 },
    }
    local got = items(answer)
    assert.equal(#expected, #got)
    for i, item in ipairs(expected) do
      assert.equal(item.key, got[i].key)
      assert.equal(item.value, got[i].value)
      assert.equal(tonumber(item.code), got[i].code, item.key)
    end
  end)

  it("loads 1,000 keys from their owners, each once", function()
    local keys = {}
    for i = 1, 1000 do
      keys[i] = "key-" .. i
    end
    for _ = 1, 2 do
      local got = items(mesh:call("BatchGet", support.request("scores", keys)))
      for i = 1, 1000 do
        assert.equal("VALUE-OF key-" .. i, got[i].value)
      end
    end
    assert.equal(1000, mesh:fetches(0) + mesh:fetches(1) + mesh:fetches(2))
  end)

  it("answers no keys with nothing", function()
    assert.equal("", mesh:call("BatchGet", support.field(1, "scores")).message)
  end)

  it("says when the answer would be too large", function()
    local keys = {}
    for i = 1, 60 do
      keys[i] = "big" .. i
    end
    local answer = mesh:call("BatchGet", support.request("scores", keys))
    assert.equal(S.PERI_STATUS_RESOURCE_EXHAUSTED, answer.status)
  end)

  it("is given up with its caller", function()
    mesh:hold(0, true)
    mesh:owner(0)
    local number = mesh:start("BatchGet", support.request("scores", { "a", "b", "c" }), { timeout = 300 })
    mesh:await(function()
      return mesh:fetches(0) == 3
    end)
    assert.equal(S.PERI_STATUS_DEADLINE_EXCEEDED, mesh:finish(number).status)
    mesh:hold(0, false)
    assert.equal("VALUE-OF b", mesh:get("b").value)
    assert.equal(3, mesh:fetches(0))
  end)
end)
