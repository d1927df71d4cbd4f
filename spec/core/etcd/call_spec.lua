local cffi = require("spec.support.ffi")
local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "etcd/call_shim.h" })

describe("etcd/call", function()
  local cluster

  setup(function()
    cluster = etcd.start()
  end)
  teardown(etcd.stop_all)
  after_each(function()
    M.close_all()
  end)

  it("brings back the packed answer of any method", function()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local path = "/etcdserverpb.KV/Put"
    local made = rig:start_call(path, "\10\1k\18\1v")
    path = nil -- luacheck: ignore
    local got = rig:finish(made)
    assert.same({ "ok", 1 }, { got.kind, got.count })
    assert.truthy(#got.bytes > 4)
    local wrong = rig:call("/no.Such/Method", "")
    assert.equal("garbage", wrong.kind, wrong.text)
    local broken = rig:call("/etcdserverpb.KV/Put", "\10\99k")
    assert.equal("garbage", broken.kind, broken.text)
  end)

  it("can go to one endpoint alone", function()
    local dead = "127.0.0.1:" .. proc.free_port()
    local rig = assert(M.open({ endpoints = { dead, cluster.endpoints[1]:match("//(.*)") }, timeout_ms = 300 * proc.patience }))
    for _ = 1, 3 do
      assert.equal("unreachable", rig:call("/etcdserverpb.Maintenance/Status", "", { endpoint = 0 }).kind)
      assert.equal("ok", rig:call("/etcdserverpb.Maintenance/Status", "", { endpoint = 1 }).kind)
    end
  end)

  it("has a time of its own, or none", function()
    local dead = "127.0.0.1:" .. proc.free_port()
    local rig = assert(M.open({ endpoints = { dead } }))
    local got = rig:call("/etcdserverpb.KV/Range", "\10\1k", { timeout_ms = 150 })
    assert.equal("unreachable", got.kind)
    assert.truthy(got.ms >= 145 and got.ms < 150 + 200 * proc.patience, got.ms)
    local endless = rig:start_call("/etcdserverpb.KV/Range", "\10\1k", { timeout_ms = 0xffffffff })
    rig:watch(2500)
    assert.equal(0, endless.count)
    C.peri_etcd_call_cancel(endless.call)
  end)

  it("waits as long as it takes for what has no limit", function()
    local rig = assert(M.open({ endpoints = cluster.endpoints, timeout_ms = 300, attempt_ms = 100 }))
    cluster:freeze()
    local made = rig:start_call("/etcdserverpb.KV/Range", "\10\1k", { timeout_ms = 0xffffffff })
    rig:watch(800)
    assert.equal(0, made.count)
    cluster:thaw()
    assert.equal("ok", rig:finish(made).kind)
  end)

  it("can be cancelled in every state", function()
    local dead = "127.0.0.1:" .. proc.free_port()
    local rig = assert(M.open({ endpoints = { dead, cluster.endpoints[1]:match("//(.*)") } }))
    local made = {}
    for i = 1, 50 do
      made[i] = rig:start_put("c", "x")
      rig:step(i % 3)
      if made[i].call ~= nil and made[i].count == 0 then
        C.peri_etcd_call_cancel(made[i].call)
      end
    end
    local counts = {}
    for i = 1, 50 do
      counts[i] = made[i].count
    end
    rig:watch(100)
    for i = 1, 50 do
      assert.equal(counts[i], made[i].count)
    end
  end)

  it("ends without a callback when the session is closed, also from within one", function()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local first = rig:start_put("a", "1")
    first.close = rig.ptr
    cluster:freeze()
    for i = 1, 10 do
      rig:start_put("b" .. i, "1")
    end
    cluster:thaw()
    assert.equal("ok", rig:finish(first).kind)
    rig:close()
  end)

  it("counts how calls end", function()
    local metrics = C.peri_metrics_new()
    local rig = assert(M.open({ endpoints = cluster.endpoints, metrics = metrics }))
    rig:put("a", "1")
    rig:put("a", "2")
    rig:put("", "2")
    rig:close()
    local text = ffi.new("struct peri_buffer")
    C.peri_metrics_render(metrics, text)
    local lines = ffi.string(text.ptr, text.len)
    C.peri_buffer_done(text)
    assert.truthy(lines:find('perigee_etcd_calls_total{method="Put",outcome="ok"} 2', 1, true), lines)
    assert.truthy(lines:find('perigee_etcd_calls_total{method="Put",outcome="invalid"} 1', 1, true), lines)
    C.peri_metrics_free(metrics)
  end)

  it("lets a typed call go on with another request under the same handle", function()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local chain = ffi.new("struct shim_chain")
    assert.equal(0, C.shim_chain_start(rig.etcd, 3, chain))
    rig:await("the chain", function()
      return chain.ended == 1
    end)
    assert.equal(3, chain.steps)
    assert.equal(0, chain.kind)
    -- Cancelled in the middle, nothing comes any more.
    local other = ffi.new("struct shim_chain")
    assert.equal(0, C.shim_chain_start(rig.etcd, 1000, other))
    rig:await("some steps", function()
      return other.steps >= 5
    end)
    C.peri_etcd_call_cancel(other.call)
    local steps = other.steps
    rig:watch(50)
    assert.same({ steps, 0 }, { other.steps, other.ended })
  end)
end)
