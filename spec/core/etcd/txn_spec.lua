local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")

describe("etcd/txn", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start()
  end)
  teardown(etcd.stop_all)

  before_each(function()
    rig = assert(M.open({ endpoints = cluster.endpoints }))
    rig:delete("t/", "t0")
  end)
  after_each(function()
    M.close_all()
  end)

  it("does one branch or the other", function()
    local txn = {
      compares = { { "create", "t/a", "=", 0 } },
      yes = { { "put", "t/a", "mine" } },
      no = { { "get", "t/a" } },
    }
    local first = rig:txn(txn)
    assert.same({ "ok", true, 0 }, { first.kind, first.flag, #first.rows })
    local second = rig:txn(txn)
    assert.same({ "ok", false, "mine" }, { second.kind, second.flag, second.rows[1].value })
    assert.equal(first.revision, second.rows[1].create)
  end)

  it("compares everything there is to compare", function()
    local granted = cluster:ctl("lease", "grant", 600):match("lease (%x+) granted")
    cluster:ctl("put", "--lease=" .. granted, "t/a", "v1")
    cluster:ctl("put", "--lease=" .. granted, "t/a", "v2")
    local row = rig:range("t/a").rows[1]
    local cases = {
      { "version", "=", 2, true },
      { "version", ">", 1, true },
      { "version", "<", 2, false },
      { "version", "~", 3, true },
      { "create", "=", row.create, true },
      { "create", "<", row.create, false },
      { "mod", "=", row.mod, true },
      { "mod", ">", row.mod, false },
      { "value", "=", "v2", true },
      { "value", "=", "v1", false },
      { "value", ">", "v1", true },
      { "lease", "=", tonumber(row.lease), tonumber(row.lease) < 2 ^ 53 },
      { "lease", "~", 0, true },
    }
    for _, case in ipairs(cases) do
      if case[1] ~= "lease" or case[2] ~= "=" or case[4] then
        local got = rig:txn({ compares = { { case[1], "t/a", case[2], case[3] } } })
        assert.equal("ok", got.kind, got.text)
        assert.equal(case[4], got.flag, table.concat({ case[1], case[2], case[3] }, " "))
      end
    end
  end)

  it("does several things at once, in order", function()
    rig:put("t/x", "old")
    local got = rig:txn({
      compares = {},
      yes = {
        { "get", "t/", range_end = "t0" },
        { "put", "t/a", "1" },
        { "put", "t/b", "2" },
        { "delete", "t/x" },
        { "get", "t/", range_end = "t0" },
      },
    })
    assert.same({ "ok", true }, { got.kind, got.flag })
    local keys = {}
    for i, row in ipairs(got.rows) do
      keys[i] = row.key .. "=" .. row.value
    end
    assert.same({ "t/x=old", "t/a=1", "t/b=2" }, keys)
    assert.equal(got.revision, got.rows[2].mod)
  end)

  it("refuses too many operations, and unknown leases", function()
    local many = {}
    for i = 1, 129 do
      many[i] = { "put", "t/" .. i, "v" }
    end
    local got = rig:txn({ compares = {}, yes = many })
    assert.equal("too_large", got.kind, got.text)
    many[129] = nil
    assert.equal("ok", rig:txn({ compares = {}, yes = many }).kind)
    local lease = rig:txn({ compares = {}, yes = { { "put", "t/z", "v", lease = 4711 } } })
    assert.equal("no_lease", lease.kind, lease.text)
  end)
end)
