local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local C, ffi = M.C, M.ffi

describe("etcd/kv", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start({ flags = { "--quota-backend-bytes", "16777216" } })
  end)
  teardown(etcd.stop_all)

  before_each(function()
    rig = assert(M.open({ endpoints = cluster.endpoints }))
  end)
  after_each(function()
    M.close_all()
  end)

  it("knows where the keys with a prefix end", function()
    local cases = {
      { "a", "b" },
      { "orders/", "orders0" },
      { "a\255", "b" },
      { "a\254", "a\255" },
      { "a\255\255", "b" },
      { "\255\255", "\0" },
      { "", "\0" },
      { "a\0", "a\1" },
    }
    for _, case in ipairs(cases) do
      local bytes = ffi.new("char[16]")
      local len = C.peri_etcd_prefix_end(M.slice(case[1]), bytes)
      assert.equal(case[2], ffi.string(bytes, len))
    end
  end)

  it("puts, ranges and deletes", function()
    local put = rig:put("kv/a", "1")
    assert.equal("ok", put.kind, put.text)
    rig:put("kv/b", "2")
    local got = rig:range("kv/a")
    assert.same({ { key = "kv/a", value = "1", create = put.revision, mod = put.revision, version = 1, lease = "0" } }, got.rows)
    assert.equal(1, got.number)
    assert.is_false(got.flag)
    assert.truthy(got.raft_term >= 2)
    assert.equal(put.revision + 1, got.revision)
    local both = rig:range("kv/", { range_end = "kv0", limit = 1 })
    assert.same({ 1, 2, true }, { #both.rows, both.number, both.flag })
    local gone = rig:delete("kv/", "kv0")
    assert.same({ "ok", 2 }, { gone.kind, gone.number })
    assert.same({ 0, 0 }, { #rig:range("kv/a").rows, rig:delete("kv/a").number })
  end)

  it("reads old revisions, the newest first, keys only, counts only, and without a quorum", function()
    local first = rig:put("old/a", "1").revision
    rig:put("old/b", "1")
    rig:put("old/a", "2")
    assert.equal("1", rig:range("old/a", { revision = first }).rows[1].value)
    local newest = rig:range("old/", { range_end = "old0", newest_first = true, limit = 1 })
    assert.same({ "old/a", 2, 2 }, { newest.rows[1].key, newest.rows[1].version, newest.number })
    local keys = rig:range("old/", { range_end = "old0", keys_only = true })
    assert.same({ "", "" }, { keys.rows[1].value, keys.rows[2].value })
    local count = rig:range("old/", { range_end = "old0", count_only = true })
    assert.same({ 0, 2 }, { #count.rows, count.number })
    assert.equal(2, #rig:range("old/", { range_end = "old0", serializable = true }).rows)
  end)

  it("carries any bytes and large values", function()
    local large = ("x"):rep(1000000)
    assert.equal("ok", rig:put("large", large).kind)
    assert.equal(#large, #rig:range("large").rows[1].value)
    assert.equal("ok", rig:put("odd\0\255/", "").kind)
    assert.equal("odd\0\255/", rig:range("odd\0\255/").rows[1].key)
    assert.equal("ok", rig:put(("k"):rep(4096), "v").kind)
    assert.equal(1, rig:range(("k"):rep(4096)).number)
  end)

  it("says what can never succeed", function()
    local cases = {
      { rig:put("", "x"), "invalid", "key is not provided" },
      { rig:put("a", "x", 4711), "no_lease", "lease not found" },
      { rig:put("a", ("x"):rep(2000000)), "too_large", "too large" },
      { rig:range("a", { revision = 1000000 }), "invalid", "future revision" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], case[1].kind, case[1].text)
      assert.truthy(case[1].text:find(case[3], 1, true), case[1].text)
      assert.truthy(case[1].ms < 1000)
    end
  end)

  it("says that history is compacted", function()
    local first = rig:put("c", "1").revision
    local second = rig:put("c", "2").revision
    cluster:ctl("compact", second)
    local got = rig:range("c", { revision = first })
    assert.equal("compacted", got.kind, got.text)
    assert.equal(1, #rig:range("c", { revision = second }).rows)
  end)

  it("says nothing any more once cancelled", function()
    local made = { rig:start_put("x", "1"), rig:start_range("x"), rig:start_delete("x") }
    for _, each in ipairs(made) do
      C.peri_etcd_call_cancel(each.call)
    end
    rig:put("y", "1")
    for _, each in ipairs(made) do
      assert.equal(0, each.count)
    end
  end)

  it("says when the space is exhausted, and reads on", function()
    local kind
    for i = 1, 40 do
      kind = rig:put("space/" .. i, ("x"):rep(1000000)).kind
      if kind ~= "ok" then
        break
      end
    end
    assert.equal("nospace", kind)
    assert.equal("ok", rig:range("space/1", { keys_only = true }).kind)
  end)
end)
