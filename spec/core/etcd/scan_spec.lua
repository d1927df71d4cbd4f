local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local fake = require("spec.support.etcdfake")
local C = M.C

describe("etcd/scan", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start()
    rig = assert(M.open({ endpoints = cluster.endpoints }))
    for from = 1, 2500, 125 do
      local ops = {}
      for i = from, from + 124 do
        ops[#ops + 1] = { "put", ("s/%04d"):format(i), "v" .. i }
      end
      assert.equal("ok", rig:txn({ compares = {}, yes = ops }).kind)
    end
    rig:put("r", "before")
    rig:put("s", "before")
    rig:put("s0", "behind")
  end)
  teardown(function()
    M.close_all()
    etcd.stop_all()
  end)

  it("reads all pages of a prefix and nothing else", function()
    for _, page in ipairs({ 0, 100, 999, 2500, 5000 }) do
      local got = rig:scan("s/", page)
      assert.equal("ok", got.kind, got.text)
      assert.equal(2500, #got.rows)
      for i, row in ipairs(got.rows) do
        assert.equal(("s/%04d"):format(i), row.key)
        assert.equal("v" .. i, row.value)
      end
      assert.equal(math.ceil(2500 / (page == 0 and 1000 or page)), got.messages)
      assert.truthy(got.revision > 0 and got.raft_term >= 2)
    end
  end)

  it("reads everything there is, and what there is not", function()
    assert.equal(2503, #rig:scan("", 0).rows)
    local none = rig:scan("absent/", 0)
    assert.same({ "ok", 0, 0 }, { none.kind, #none.rows, none.messages })
    assert.truthy(none.revision > 0)
    assert.equal(2500, #rig:scan("s/", 0, { serializable = true }).rows)
  end)

  it("stays at the revision of its first page", function()
    local other = assert(M.open({ endpoints = cluster.endpoints }))
    local scan = rig:start_scan("s/", 100)
    rig:await("the first page", function()
      return scan.messages >= 1
    end)
    assert.equal("ok", other:put("s/2499", "changed").kind)
    assert.equal("ok", other:delete("s/2498").kind)
    assert.equal("ok", other:put("s/9999", "new").kind)
    local got = rig:finish(scan)
    assert.equal(2500, #got.rows)
    assert.equal("v2499", got.rows[2499].value)
    assert.truthy(got.revision < other:range("r").revision)
    other:put("s/2499", "v2499")
    other:put("s/2498", "v2498")
    other:delete("s/9999")
  end)

  it("ends when its revision is compacted in between", function()
    local other = assert(M.open({ endpoints = cluster.endpoints }))
    local scan = rig:start_scan("s/", 10)
    rig:await("the first page", function()
      return scan.messages >= 1
    end)
    cluster:ctl("compact", other:put("r", "again").revision)
    local got = rig:finish(scan)
    assert.equal("compacted", got.kind, got.text)
    assert.truthy(got.messages < 250)
    assert.equal(0, got.revision)
  end)

  it("can be cancelled, also from within a page", function()
    local scans = { rig:start_scan("s/", 10), rig:start_scan("s/", 10, { cancel_at = 3 }) }
    C.peri_etcd_scan_cancel(scans[1].scan)
    rig:await("the third page", function()
      return scans[2].messages >= 3
    end)
    assert.equal(2500, #rig:scan("s/", 0).rows)
    assert.same({ 0, 0, 0, 3 }, { scans[1].count, scans[1].messages, scans[2].count, scans[2].messages })
  end)

  it("goes with its session", function()
    local other = assert(M.open({ endpoints = cluster.endpoints }))
    local scan = other:start_scan("s/", 10)
    other:await("the first page", function()
      return scan.messages >= 1
    end)
    C.etcd_rig_close(other.ptr)
    local before = scan.messages
    other:await("the session to close", function()
      return C.etcd_rig_closed(other.ptr)
    end)
    assert.same({ 0, before }, { scan.count, scan.messages })
    other:close()
  end)
end)

describe("etcd/scan, with an etcd that does as it is told", function()
  local server, rig

  setup(function()
    fake.setup()
    server = fake.start()
    rig = assert(M.open({ endpoints = server.endpoints }))
    server:tell({ put = { ["s/a"] = "1" } })
    server:tell({ put = { ["s/b"] = "2" } })
  end)
  teardown(function()
    M.close_all()
    server:stop()
  end)

  --- Scans while all answers are as given.
  local function scan(answer, prefix)
    answer.for_ever = true
    server:tell({ answers = { Range = { answer } } })
    return rig:scan(prefix or "s/", 10)
  end

  it("ends when a page does not go on from the one before", function()
    local got = scan({ stuck = true })
    assert.same({ "garbage", 2, 0 }, { got.kind, #got.rows, got.revision })
  end)

  it("ends when a page holds what was not asked for", function()
    server:tell({ put = { ["r"] = "0" } })
    local got = scan({ stuck = true })
    assert.same({ "garbage", 0 }, { got.kind, #got.rows })
  end)

  it("does not believe an answer without a revision that can be", function()
    for _, answer in ipairs({ { no_header = true }, { revision = -1 } }) do
      local got = scan(answer)
      assert.same({ "garbage", 0 }, { got.kind, #got.rows })
    end
  end)
end)
