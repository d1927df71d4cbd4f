local uv = require("luv")
local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C, ffi = M.C, M.ffi

ffi.cdef("void peri_etcd_endpoint_well(struct peri_etcd *etcd, int endpoint);")

describe("etcd/attempt", function()
  after_each(function()
    M.close_all()
    etcd.stop_all()
  end)

  --- Makes `wanted` (from 1) the endpoint that calls go to.
  local function prefer(rig, wanted)
    for i = 0, tonumber(C.peri_etcd_endpoint_count(rig.etcd)) - 1 do
      C.peri_etcd_endpoint_suspect(rig.etcd, i)
    end
    C.peri_etcd_endpoint_well(rig.etcd, wanted - 1)
    assert.equal(wanted - 1, C.peri_etcd_endpoint_best(rig.etcd, -1))
  end

  local function is_dead()
    return "http://127.0.0.1:" .. proc.free_port()
  end

  it("goes to the next endpoint at once when one is not there", function()
    local cluster = etcd.start()
    for _ = 1, 10 do
      local rig = assert(M.open({ endpoints = { is_dead(), cluster.endpoints[1], is_dead() } }))
      local got = rig:put("a", "1")
      assert.equal("ok", got.kind, got.text)
      assert.truthy(got.ms < 300 * proc.patience, got.ms)
      assert.equal(1, C.peri_etcd_endpoint_best(rig.etcd, -1))
      rig:close()
    end
  end)

  it("says that no member can be reached, within its time", function()
    local rig = assert(M.open({ endpoints = { is_dead(), is_dead() }, timeout_ms = 400 }))
    local got = rig:put("a", "1")
    assert.equal("unreachable", got.kind, got.text)
    assert.truthy(got.ms >= 390 and got.ms < 400 + 200 * proc.patience, got.ms)
    -- A transaction that may not be repeated never left: it is tried as long.
    local txn = rig:txn({ compares = {}, yes = { { "put", "a", "1" } } })
    assert.equal("unreachable", txn.kind, txn.text)
    assert.truthy(txn.ms >= 390, txn.ms)
  end)

  it("gives up a frozen member after one attempt and stays with the next", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local frozen = cluster:leader() % 3 + 1
    prefer(rig, frozen)
    assert.equal("ok", rig:put("a", "1").kind)
    cluster:freeze(frozen)
    local got = rig:put("a", "2")
    assert.equal("ok", got.kind, got.text)
    assert.truthy(got.ms >= 650 and got.ms < 1500 * proc.patience, got.ms)
    got = rig:put("a", "3")
    assert.equal("ok", got.kind)
    assert.truthy(got.ms < 500 * proc.patience, got.ms)
    assert.not_equal(frozen - 1, C.peri_etcd_endpoint_best(rig.etcd, -1))
    cluster:thaw()
  end)

  it("ends in time when all are frozen", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local rig = assert(M.open({ endpoints = cluster.endpoints, timeout_ms = 1000, attempt_ms = 300 }))
    assert.equal("ok", rig:put("a", "1").kind)
    cluster:freeze()
    for _, made in ipairs({
      rig:start_put("a", "2"),
      rig:start_txn({ compares = {}, yes = { { "put", "a", "2" } } }),
      rig:start_range("a"),
    }) do
      local got = rig:finish(made)
      assert.equal("timeout", got.kind, got.text)
      assert.truthy(got.ms >= 950 and got.ms < 1000 + 300 * proc.patience, got.ms)
    end
    cluster:thaw()
    rig:await("the members to answer again", function()
      return rig:range("a").kind == "ok"
    end, 20000)
  end)

  it("says that there is no leader, unless that does not matter", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    assert.equal("ok", rig:put("a", "1").kind)
    cluster:kill(2)
    cluster:kill(3)
    rig:await("the leader to be missed", function()
      return rig:put("a", "2").kind == "no_leader"
    end, 20000)
    local got = rig:range("a")
    assert.equal("no_leader", got.kind, got.text)
    assert.truthy(got.ms < 2000 * proc.patience + 500, got.ms)
    local stale = rig:range("a", { serializable = true })
    assert.same({ "ok", "1" }, { stale.kind, stale.rows[1].value })
  end)

  it("gets through the loss of a leader", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    for round = 1, 3 do
      local leader = cluster:leader()
      prefer(rig, leader)
      cluster:kill(leader)
      for i = 1, 5 do
        local got = rig:put("a", round .. "/" .. i)
        assert.equal("ok", got.kind, got.text)
        assert.truthy(got.ms < 2000 * proc.patience, got.ms)
      end
      cluster:restart(leader)
    end
    assert.equal("3/5", rig:range("a").rows[1].value)
  end)

  it("comes back when its only member does", function()
    local cluster = etcd.start()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    assert.equal("ok", rig:put("a", "1").kind)
    cluster:kill()
    assert.equal("unreachable", rig:put("a", "2").kind)
    cluster:restart()
    local got = rig:put("a", "3")
    assert.equal("ok", got.kind, got.text)
    assert.truthy(got.ms < 1000 * proc.patience, got.ms)
  end)

  it("knows who does not speak etcd", function()
    local server = uv.new_tcp()
    assert(server:bind("127.0.0.1", 0))
    server:listen(8, function()
      local client = uv.new_tcp()
      server:accept(client)
      client:read_start(function(_, bytes)
        if bytes then
          client:write("HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n")
        end
        client:close()
      end)
    end)
    local address = "127.0.0.1:" .. server:getsockname().port
    local rig = assert(M.open({ endpoints = { address }, timeout_ms = 1000 * proc.patience }))
    local got = rig:put("a", "1")
    assert.equal("garbage", got.kind, got.text)
    server:close()
  end)

  it("keeps its time towards one that says nothing", function()
    local server, clients = uv.new_tcp(), {}
    assert(server:bind("127.0.0.1", 0))
    server:listen(8, function()
      local client = uv.new_tcp()
      server:accept(client)
      clients[#clients + 1] = client
    end)
    local rig = assert(M.open({ endpoints = { "127.0.0.1:" .. server:getsockname().port }, timeout_ms = 500, attempt_ms = 200 }))
    for _, made in ipairs({ rig:start_put("a", "1"), rig:start_txn({ compares = {} }) }) do
      local got = rig:finish(made)
      assert.equal("timeout", got.kind, got.text)
      assert.truthy(got.ms < 500 + 300 * proc.patience, got.ms)
    end
    server:close()
    for _, client in ipairs(clients) do
      client:close()
    end
  end)
end)
