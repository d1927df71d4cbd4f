local support = require("spec.core.cache.mesh_support")
local S = support.status

describe("Get on one sidecar", function()
  local mesh
  setup(function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","ttl":"60s"},"bare":{}}', peers = false })
  end)
  teardown(function()
    mesh:free()
  end)

  it("answers what the origin has, and remembers it", function()
    local first = mesh:get("Tom")
    assert.equal(S.PERI_STATUS_OK, first.status)
    assert.equal("VALUE-OF Tom", first.value)
    assert.equal("origin ", mesh:cause(0))
    local fetches = mesh:fetches(0)
    for _ = 1, 9 do
      assert.equal("VALUE-OF Tom", mesh:get("Tom").value)
    end
    assert.equal(fetches, mesh:fetches(0))
    assert.equal(9, mesh:metric(0, "perigee_cache_gets_total", 'group="scores",result="hit"'))
    assert.equal(1, mesh:metric(0, "perigee_cache_gets_total", 'group="scores",result="miss"'))
    assert.equal(1, mesh:metric(0, "perigee_cache_loads_total", 'group="scores",source="origin",result="ok"'))
  end)

  it("says when a value expires, and nothing of minute_qps", function()
    local answer = mesh:get("Tom")
    assert.is_nil(answer.fields[2])
    local left = tonumber(answer.fields[3][1] - support.now())
    assert.is_true(left > 50e9 and left < 62e9)
  end)

  it("is the origin's bytes when a value does not expire", function()
    mesh:call("Set", support.request("bare", "Tom", "630"))
    assert.equal("\10\003630", mesh:get("Tom", { group = "bare" }).message)
  end)

  it("takes an empty value for a value", function()
    local answer = mesh:get("empty one")
    assert.equal(S.PERI_STATUS_OK, answer.status)
    assert.equal("", answer.value)
    local fetches = mesh:fetches(0)
    assert.equal(S.PERI_STATUS_OK, mesh:get("empty one").status)
    assert.equal(fetches, mesh:fetches(0))
    mesh:call("Set", support.request("bare", "nothing", ""))
    assert.equal("", mesh:get("nothing", { group = "bare" }).message)
  end)

  it("serves long values and values with NUL bytes", function()
    for _, len in ipairs({ 1, 255, 256, 257, 1000, 60000 }) do
      local value = ("a\0b"):rep(len):sub(1, len)
      assert.equal(S.PERI_STATUS_OK, mesh:set("long", value).status)
      assert.equal(value, mesh:get("long").value)
    end
  end)

  it("tells a missing value from one that is not there", function()
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:get("nobody", { group = "bare" }).status)
    assert.equal("not in the cache, and its group has no fallback", mesh:get("nobody", { group = "bare" }).text)
  end)

  it("takes a key of 1 MiB", function()
    local key = ("k"):rep(1024 * 1024)
    local answer = mesh:get(key)
    assert.equal(S.PERI_STATUS_OK, answer.status)
  end)
end)
