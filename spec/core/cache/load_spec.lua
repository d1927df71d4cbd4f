local proc = require("spec.support.proc")
local support = require("spec.core.cache.mesh_support")
local S = support.status
local ffi = require("ffi")

describe("a load from the origin", function()
  local mesh
  before_each(function()
    mesh = support.mesh({
      groups = '{"scores":{"fallback":"fake","negative_ttl":"60s","bytes":"1MiB"},"hasty":{"fallback":"fake","load_timeout":"50ms"}}',
      peers = false,
    })
  end)
  after_each(function()
    mesh:free()
  end)

  it("remembers that there is no such value", function()
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:get("missing").status)
    local second = mesh:get("missing")
    assert.equal(S.PERI_STATUS_NOT_FOUND, second.status)
    assert.equal("there is no such value", second.text)
    assert.equal(1, mesh:fetches(0))
    assert.equal(1, mesh:metric(0, "perigee_cache_gets_total", 'group="scores",result="negative"'))
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "missing")).status)
  end)

  it("does not remember it when the fallback says so", function()
    S.peri_shim_policy_ttl(mesh:policy(0), -1, 0)
    mesh:get("missing")
    mesh:get("missing")
    assert.equal(2, mesh:fetches(0))
  end)

  it("asks again once a value has expired", function()
    S.peri_shim_policy_ttl(mesh:policy(0), 1, -1)
    mesh:get("Tom")
    mesh:get("Tom")
    assert.equal(2, mesh:fetches(0))
    S.peri_shim_policy_ttl(mesh:policy(0), 60e9, -1)
    mesh:get("Tom")
    mesh:get("Tom")
    assert.equal(3, mesh:fetches(0))
  end)

  it("serves a value too large to be stored", function()
    assert.equal(100000, #mesh:get("big").value)
    assert.equal(100000, #mesh:get("big").value)
    assert.equal(2, mesh:fetches(0))
    assert.equal(2, mesh:metric(0, "perigee_cache_oversize_total"))
  end)

  it("has a limit of its own", function()
    local answer = mesh:get("hang", { group = "hasty" })
    assert.equal(S.PERI_STATUS_DEADLINE_EXCEEDED, answer.status)
    assert.equal("the load took longer than 50 ms", answer.text)
    assert.equal(0, S.peri_shim_policy_under_way(mesh:policy(0)))
  end)

  it("takes a lifetime beyond the end of time for none", function()
    for _, ttl in ipairs({ 9223372036854775807LL, 0 }) do
      S.peri_shim_policy_ttl(mesh:policy(0), ttl, ttl)
      mesh:remove("Tom")
      assert.is_nil(mesh:get("Tom").fields[3])
      assert.is_nil(mesh:get("Tom").fields[3])
    end
    assert.equal(2, mesh:fetches(0))
    S.peri_shim_policy_ttl(mesh:policy(0), -1, 9223372036854775807LL)
    mesh:get("missing")
    mesh:get("missing")
    assert.equal(3, mesh:fetches(0))
  end)

  it("fails when the fallback refuses", function()
    local answer = mesh:get("refuse")
    assert.equal(S.PERI_STATUS_RESOURCE_EXHAUSTED, answer.status)
    assert.equal(1, mesh:metric(0, "perigee_cache_loads_total", 'group="scores",source="origin",result="failed"'))
  end)

  it("never overwrites a Set or Remove that came after it began", function()
    mesh:hold(0, true)
    local get = mesh:start("Get", support.request("scores", "Tom"))
    mesh:await(function()
      return mesh:fetches(0) == 1
    end)
    assert.equal(0, mesh:set("Tom", "newer").status)
    mesh:hold(0, false)
    assert.equal("VALUE-OF Tom", mesh:finish(get).value)
    assert.equal("newer", mesh:get("Tom").value)

    mesh:hold(0, true)
    get = mesh:start("Get", support.request("scores", "Ann"))
    mesh:await(function()
      return mesh:fetches(0) == 2
    end)
    assert.is_false(mesh:remove("Ann").removed)
    local later = mesh:start("Get", support.request("scores", "Ann"))
    mesh:await(function()
      return mesh:fetches(0) == 3
    end, "a load of its own")
    mesh:hold(0, false)
    assert.equal(0, mesh:finish(get).status)
    assert.equal(0, mesh:finish(later).status)
  end)
end)

-- The behaviours of groupcache's TestPeers and of mailgun's TestContextDeadlineOnPeer.
describe("a load from the owner", function()
  local mesh
  before_each(function()
    mesh = support.mesh({ nodes = 4, groups = '{"scores":{"fallback":"fake","peer_timeout":"700ms"}}' })
  end)
  after_each(function()
    mesh:free()
  end)

  local function spread()
    for i = 0, 199 do
      assert.equal("VALUE-OF key-" .. i, mesh:get("key-" .. i, { node = 3 }).value)
    end
    return table.concat({ mesh:fetches(3), mesh:fetches(0), mesh:fetches(1), mesh:fetches(2) }, " ")
  end

  it("goes to the owner that the picker names", function()
    mesh:owner(S.SHIM_OWNER_CRC)
    assert.equal("49 51 49 51", spread())
    assert.equal("49 51 49 51", spread())
  end)

  it("is asked of the fallback when the owner fails, and then not stored", function()
    mesh:owner(S.SHIM_OWNER_CRC)
    mesh:stop(0)
    assert.equal("100 0 49 51", spread())
    assert.equal("unreachable " .. mesh:address(0), mesh:cause(3))
    assert.equal("151 0 49 51", spread())
  end)

  it("is told how the owner failed", function()
    mesh:owner(1)
    mesh:hold(1, true)
    assert.equal("VALUE-OF Tom", mesh:get("Tom", { node = 0 }).value)
    assert.equal("timeout " .. mesh:address(1), mesh:cause(0))
    mesh:hold(1, false)
    local both = mesh:get("fail", { node = 0 })
    assert.equal(S.PERI_STATUS_INTERNAL, both.status)
    assert.equal(
      "owner " .. mesh:address(1) .. " failed: the fallback failed: it raised; the fallback failed: it raised",
      both.text
    )
    assert.equal("failed " .. mesh:address(1), mesh:cause(0))
  end)

  it("takes the owner's not-found for an answer", function()
    mesh:owner(1)
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:get("missing", { node = 0 }).status)
    assert.equal(0, mesh:fetches(0))
    assert.equal(1, mesh:metric(0, "perigee_cache_loads_total", 'group="scores",source="peer",result="not_found"'))
  end)

  it("is not kept here, so that a Remove at the owner is seen", function()
    mesh:owner(1)
    mesh:get("Tom", { node = 0 })
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom"), { node = 0 }).status)
    assert.is_true(mesh:remove("Tom", { node = 2 }).removed)
    mesh:get("Tom", { node = 0 })
    assert.equal(2, mesh:fetches(1))
  end)

  it("passes the owner's expiry on", function()
    mesh:owner(1)
    S.peri_shim_policy_ttl(mesh:policy(1), 60e9, -1)
    local left = tonumber(mesh:get("Tom", { node = 0 }).fields[3][1] - support.now())
    assert.is_true(left > 50e9 and left < 62e9)
  end)
end)

describe("a load from an owner without a fallback", function()
  it("fails with the owner's words", function()
    local mesh = support.mesh({ nodes = 2, groups = '{"scores":{}}' })
    mesh:owner(1)
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:get("Tom").status)
    mesh:stop(1)
    local answer = mesh:get("Tom")
    assert.equal(S.PERI_STATUS_UNAVAILABLE, answer.status)
    assert.truthy(answer.text:find("owner " .. mesh:address(1) .. " unreachable: ", 1, true))
    mesh:free()
  end)
end)

describe("a load from a peer that lies", function()
  local mesh
  before_each(function()
    local wait_ms = 400 * proc.patience
    mesh = support.mesh({ groups = ('{"scores":{"fallback":"fake","peer_timeout":"%dms"}}'):format(wait_ms) })
    mesh:liar()
  end)
  after_each(function()
    mesh:free()
  end)

  --- The fallback answers, is told why, and nothing of it is kept.
  local function falls_back(cause, key)
    local answer = mesh:get(key)
    assert.equal("VALUE-OF " .. key, answer.value, answer.text)
    assert.equal((cause or mesh:cause(0):match("^%a+")) .. " " .. ffi.string(S.peri_shim_liar_address(mesh.handle)), mesh:cause(0))
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", key)).status)
    assert.is_false(S.peri_shim_mesh_busy(mesh.handle, 0))
  end

  for name, lie in pairs({
    ["garbage for a message"] = { S.SHIM_LIAR_SAYS, "failed", "\10\255\255" },
    ["more than a message may have"] = { S.SHIM_LIAR_SAYS, "failed", "\10\128\128\192\2" .. ("x"):rep(5 * 1024 * 1024) },
    ["nothing at all"] = { S.SHIM_LIAR_NOTHING, "timeout" },
    ["OK without a message"] = { S.SHIM_LIAR_BARE_OK, "failed" },
    ["a page"] = { S.SHIM_LIAR_HTML, "failed" },
    ["half a message"] = { S.SHIM_LIAR_PART, "timeout" },
    ["half a message and a reset"] = { S.SHIM_LIAR_RESET, "failed" },
    ["a status that is none"] = { S.SHIM_LIAR_UNKNOWN, "failed" },
    ["a message without a status"] = { S.SHIM_LIAR_NO_END, "failed" },
    ["no HTTP/2"] = { S.SHIM_LIAR_JUNK },
    ["nothing on its connections"] = { S.SHIM_LIAR_DEAF, "timeout" },
    ["by hanging up"] = { S.SHIM_LIAR_HANGS_UP, "unreachable" },
  }) do
    it("survives " .. name, function()
      mesh:lie(lie[1], lie[3])
      falls_back(lie[2], "Tom")
      falls_back(lie[2], "Ann")
      assert.is_true(mesh:asked() >= 1)
    end)
  end

  it("survives a connection that ends in the middle of a message", function()
    mesh:lie(S.SHIM_LIAR_PART)
    local crowd = mesh:start("Get", support.request("scores", "Tom"), { count = 20 })
    mesh:await(function()
      return mesh:asked() == 1
    end)
    S.peri_shim_liar_hang_up(mesh.handle)
    mesh:drain()
    assert.equal(20, mesh:ended(S.PERI_STATUS_OK))
    assert.equal("VALUE-OF Tom", mesh:result(crowd).value)
    assert.equal(1, mesh:fetches(0))
    mesh:lie(S.SHIM_LIAR_SAYS, support.field(1, "honest"))
    assert.equal("honest", mesh:get("Tom").value)
  end)

  it("passes on whatever instant it names, and keeps nothing", function()
    for _, expire in ipairs({ 1, 9223372036854775807LL, -1LL, -9223372036854775807LL - 1 }) do
      mesh:lie(S.SHIM_LIAR_SAYS, support.field(1, "v") .. support.field(3, expire))
      local answer = mesh:get("Tom")
      assert.equal("v", answer.value)
      assert.is_true(ffi.cast("int64_t", answer.fields[3][1]) == expire)
      assert.equal(0, mesh:metric(0, "perigee_cache_entries"))
    end
  end)
end)

describe("a load of a cold key", function()
  it("is one for 10,000 who ask on three sidecars", function()
    local mesh = support.mesh({ nodes = 3, groups = '{"scores":{"fallback":"fake","peer_timeout":"20s"}}' })
    mesh:owner(1)
    mesh:hold(1, true)
    for node = 0, 2 do
      mesh:start("Get", support.request("scores", "Tom"), { node = node, count = node == 0 and 3334 or 3333 })
    end
    mesh:await(function()
      local joined = 0
      for node = 0, 2 do
        joined = joined + mesh:metric(node, "perigee_cache_joined_total")
      end
      return joined == 9999
    end)
    mesh:hold(1, false)
    mesh:drain()
    assert.equal(10000, mesh:ended(S.PERI_STATUS_OK))
    assert.equal(1, mesh:fetches(0) + mesh:fetches(1) + mesh:fetches(2))
    mesh:free()
  end)
end)
