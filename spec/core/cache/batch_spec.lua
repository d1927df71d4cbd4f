local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("BatchGet", function()
  local mesh
  before_each(function()
    -- An owner that is only slow must not be passed over.
    mesh = support.mesh({ nodes = 3, groups = '{"scores":{"fallback":"fake","peer_timeout":"60s"}}' })
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

  it("counts the keys in what an answer may have", function()
    local keys = {}
    for i = 1, 31 do
      keys[i] = ("%02d"):format(i) .. ("k"):rep(135198)
    end
    local answer = mesh:call("BatchGet", support.request("scores", keys))
    assert.equal(S.PERI_STATUS_RESOURCE_EXHAUSTED, answer.status)
    assert.equal("the values are too large for one answer; ask for fewer keys", answer.text)
  end)

  it("asks the fallback for the keys of an owner that failed", function()
    mesh:stop(2)
    local keys = {}
    for i = 1, 60 do
      keys[i] = "key-" .. i
    end
    local got = items(mesh:call("BatchGet", support.request("scores", keys)))
    for i = 1, 60 do
      assert.equal(0, got[i].code)
      assert.equal("VALUE-OF key-" .. i, got[i].value)
    end
    assert.equal(60, mesh:fetches(0) + mesh:fetches(1))
    assert.is_true(mesh:fetches(0) > 15 and mesh:fetches(1) > 5)
  end)

  it("loads a key once however often it is asked for", function()
    mesh:hold(0, true)
    mesh:owner(0)
    local keys = {}
    for i = 1, 500 do
      keys[i] = i % 2 == 0 and "Tom" or "missing"
    end
    local number = mesh:start("BatchGet", support.request("scores", keys))
    mesh:await(function()
      return mesh:fetches(0) == 2
    end)
    mesh:hold(0, false)
    local got = items(mesh:finish(number))
    for i = 1, 500 do
      assert.equal(i % 2 == 0 and 0 or tonumber(S.PERI_STATUS_NOT_FOUND), got[i].code)
    end
    assert.equal(2, mesh:fetches(0))
  end)
end)

describe("BatchGet without a fallback", function()
  it("fails only the keys whose owner failed", function()
    local mesh = support.mesh({ nodes = 2, groups = '{"scores":{}}' })
    mesh:owner(S.SHIM_OWNER_CRC)
    local keys, own = {}, {}
    for i = 1, 40 do
      keys[i] = "key-" .. i
      assert.equal(0, mesh:set(keys[i], "x").status)
      own[i] = mesh:call("Peek", support.request("scores", keys[i])).status == 0
    end
    mesh:stop(1)
    local answer = mesh:call("BatchGet", support.request("scores", keys))
    assert.equal(0, answer.status)
    for i, item in ipairs(answer.fields[1]) do
      local fields = support.fields(item)
      assert.equal(keys[i], fields[1][1])
      assert.equal(own[i] and "x" or nil, fields[2] and fields[2][1])
      assert.equal(own[i] and 0 or tonumber(S.PERI_STATUS_UNAVAILABLE), fields[4] and tonumber(fields[4][1]) or 0)
    end
    mesh:free()
  end)
end)
