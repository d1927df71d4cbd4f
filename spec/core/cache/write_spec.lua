local support = require("spec.core.cache.mesh_support")
local S = support.status
local ffi = require("ffi")

describe("Set and Remove", function()
  local mesh
  before_each(function()
    mesh = support.mesh({
      nodes = 3,
      groups = '{"scores":{"fallback":"fake","bytes":"1MiB","peer_timeout":"300ms"},"brief":{"ttl":"60s"},"endless":{"ttl":"106751d"}}',
    })
    mesh:owner(1)
  end)
  after_each(function()
    mesh:free()
  end)

  it("reach the owner from everywhere", function()
    for node = 0, 2 do
      assert.equal("", mesh:set("Tom", "v" .. node, nil, { node = node }).message)
      for reader = 0, 2 do
        assert.equal("v" .. node, mesh:get("Tom", { node = reader }).value)
      end
    end
    assert.is_true(mesh:remove("Tom", { node = 0 }).removed)
    assert.is_false(mesh:remove("Tom", { node = 2 }).removed)
    assert.equal("VALUE-OF Tom", mesh:get("Tom", { node = 0 }).value)
    assert.equal(1, mesh:fetches(1))
    assert.equal(0, mesh:fetches(0) + mesh:fetches(2))
  end)

  it("answer with the bytes of the contract", function()
    mesh:set("Tom", "x", nil, { node = 1 })
    assert.equal("\8\1", mesh:remove("Tom", { node = 1 }).message)
    assert.equal("", mesh:remove("Tom", { node = 1 }).message)
  end)

  it("keep the lifetime given, or the group's", function()
    local at = support.now() + 100000000000LL
    mesh:set("Tom", "x", at, { node = 0 })
    assert.is_true(mesh:get("Tom").fields[3][1] == at)
    mesh:call("Set", support.request("brief", "Tom", "x"), { node = 0 })
    local left = tonumber(mesh:get("Tom", { group = "brief" }).fields[3][1] - support.now())
    assert.is_true(left > 50e9 and left < 62e9)
  end)

  it("take an instant that has passed for a removal", function()
    for _, past in ipairs({ 1, -5LL, -9223372036854775807LL - 1 }) do
      mesh:set("Tom", "x")
      assert.equal(0, mesh:set("Tom", "y", past).status)
      assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom"), { node = 1 }).status)
    end
  end)

  it("say when a value is too large, and leave nothing old behind", function()
    mesh:set("Tom", "small")
    local answer = mesh:set("Tom", ("x"):rep(100000))
    assert.equal(S.PERI_STATUS_RESOURCE_EXHAUSTED, answer.status)
    assert.equal("owner " .. mesh:address(1) .. ": the value is too large to be cached", answer.text)
    assert.equal(S.PERI_STATUS_NOT_FOUND, mesh:call("Peek", support.request("scores", "Tom"), { node = 1 }).status)
  end)

  it("say when the owner cannot be reached", function()
    mesh:stop(1)
    local answer = mesh:set("Tom", "x")
    assert.equal(S.PERI_STATUS_UNAVAILABLE, answer.status)
    assert.truthy(answer.text:find("owner " .. mesh:address(1) .. ": ", 1, true))
    assert.equal(S.PERI_STATUS_UNAVAILABLE, mesh:remove("Tom").status)
    for _, node in ipairs({ 0, 2 }) do
      local kept = mesh:call("Peek", support.request("scores", "Tom"), { node = node })
      assert.equal(S.PERI_STATUS_NOT_FOUND, kept.status)
    end
  end)

  it("take the last instant there is, and lifetimes beyond it, for far away", function()
    local last = 9223372036854775807LL
    assert.equal(0, mesh:set("Tom", "x", last).status)
    local answer = mesh:get("Tom")
    assert.equal("x", answer.value)
    assert.is_true(ffi.cast("int64_t", answer.fields[3][1]) == last)
    assert.equal(0, mesh:call("Set", support.request("endless", "Tom", "x")).status)
    answer = mesh:get("Tom", { group = "endless" })
    assert.equal("x", answer.value)
    assert.is_nil(answer.fields[3])
  end)

  it("are seen at once, although an older Get is still under way", function()
    for _, node in ipairs({ 0, 1 }) do
      local key = "key of " .. node
      mesh:hold(1, true)
      local before = mesh:fetches(1)
      local old = mesh:start("Get", support.request("scores", key), { node = node })
      mesh:await(function()
        return mesh:fetches(1) == before + 1
      end)
      assert.equal(0, mesh:set(key, "newer", nil, { node = node }).status)
      assert.equal("newer", mesh:get(key, { node = node }).value)
      assert.equal("newer", mesh:get(key, { node = 2 }).value)
      assert.equal(0, mesh:call("RemoveKeys", support.request("scores", { key, key }), { node = node }).status)
      assert.equal(0, mesh:set(key, "newest", nil, { node = node }).status)
      mesh:hold(1, false)
      assert.equal(0, mesh:finish(old).status)
      assert.equal("newest", mesh:get(key, { node = node }).value)
    end
  end)

  it("tell keys apart by every byte", function()
    local keys = { "a", "a\0", "a\0b", "\0a", "a ", "A", "ü", "u\204\136", "a%00", "../a", '"' }
    for i, key in ipairs(keys) do
      assert.equal(0, mesh:set(key, tostring(i)).status)
    end
    for i, key in ipairs(keys) do
      assert.equal(tostring(i), mesh:get(key, { node = 2 }).value)
    end
    assert.is_true(mesh:remove("a\0").removed)
    assert.equal("1", mesh:get("a").value)
    assert.equal("3", mesh:get("a\0b").value)
  end)

  it("go on when their caller leaves", function()
    local number = mesh:start("Set", support.request("scores", "Tom", "kept"))
    mesh:await(function()
      return S.peri_shim_mesh_busy(mesh.handle, 0) or mesh:status(number) ~= -1
    end)
    mesh:cancel(number)
    mesh:await(function()
      return not S.peri_shim_mesh_busy(mesh.handle, 0)
    end)
    assert.equal("kept", mesh:get("Tom").value)
  end)
end)
