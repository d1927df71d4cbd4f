local uv = require("luv")
local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local fake = require("spec.support.etcdfake")
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

  describe("with an etcd that does as it is told", function()
    local server

    setup(fake.setup)
    before_each(function()
      server = fake.start()
    end)
    after_each(function()
      server:stop()
    end)

    --- Makes a call while the next answers are as given; how it ended, and how often it was asked.
    local function try(method, answers, start, options)
      options = options or {}
      options.endpoints = server.endpoints
      local rig = assert(M.open(options))
      local before = #server:requests(method)
      server:tell({ answers = { [method] = answers } })
      local made = start(rig)
      rig:await("the end", function()
        return made.count > 0
      end)
      local got = M.read(made)
      rig:close()
      return got.kind, #server:requests(method) - before, got
    end

    local function put(rig)
      return rig:start_put("a", "1")
    end

    local function txn(rig)
      return rig:start_txn({ compares = {}, yes = { { "put", "a", "1" } } })
    end

    local function safe_txn(rig)
      return rig:start_txn({ compares = {}, yes = { { "put", "a", "1" } }, replay = true })
    end

    it("repeats what may pass and may be repeated", function()
      for _, answer in ipairs({
        { code = 14, message = "etcdserver: leader changed" },
        { code = 14, message = "etcdserver: request timed out" },
        { code = 14, message = "etcdserver: no leader" },
        { code = 2, message = "context deadline exceeded" },
        { code = 8, message = "etcdserver: too many requests" },
        { code = 14, message = "etcdserver: server stopped", after = true },
      }) do
        local kind, asked = try("Put", { answer }, put)
        assert.same({ "ok", 2 }, { kind, asked }, answer.message)
        kind, asked = try("Txn", { answer }, safe_txn)
        assert.same({ "ok", 2 }, { kind, asked }, answer.message)
      end
      local kind, asked = try("Put", { { hang = true } }, put, { attempt_ms = 200 })
      assert.same({ "ok", 2 }, { kind, asked })
    end)

    it("repeats what may not be repeated only when it never happened", function()
      for message, want in pairs({
        ["14 etcdserver: no leader"] = { "ok", 2 },
        ["8 etcdserver: too many requests"] = { "ok", 2 },
        ["14 etcdserver: leader changed"] = { "busy", 1 },
        ["14 etcdserver: request timed out"] = { "no_leader", 1 },
        ["2 context deadline exceeded"] = { "no_leader", 1 },
        ["13 whatever"] = { "garbage", 1 },
      }) do
        local code, text = message:match("^(%d+) (.*)$")
        local kind, asked = try("Txn", { { code = tonumber(code), message = text } }, txn)
        assert.same(want, { kind, asked }, message)
      end
      local kind, asked, got = try("Txn", { { hang = true } }, txn, { timeout_ms = 500, attempt_ms = 100 })
      assert.same({ "timeout", 1 }, { kind, asked }, got.text)
      assert.truthy(got.ms >= 450, got.ms)
    end)

    it("repeats nothing that can never succeed", function()
      for message, want in pairs({
        ["7 etcdserver: permission denied"] = "denied",
        ["8 etcdserver: mvcc: database space exceeded"] = "nospace",
        ["3 etcdserver: request is too large"] = "too_large",
        ["3 etcdserver: user name is empty"] = "login",
        ["11 etcdserver: mvcc: required revision has been compacted"] = "compacted",
      }) do
        local code, text = message:match("^(%d+) (.*)$")
        local kind, asked = try("Put", { { code = tonumber(code), message = text } }, put)
        assert.same({ want, 1 }, { kind, asked }, message)
      end
    end)

    it("says what the members say, when they never stop saying it", function()
      local answer = { code = 14, message = "etcdserver: request timed out", for_ever = true }
      local kind, asked, got = try("Put", { answer }, put, { timeout_ms = 600 })
      assert.equal("no_leader", kind)
      -- Pauses between rounds grow from 25 ms to 250 ms.
      assert.truthy(asked >= 3 and asked <= 12, asked)
      assert.truthy(got.ms >= 400 and got.ms < 600 + 200 * proc.patience, got.ms)
    end)

    it("renews a refused token once, also for what may not be repeated", function()
      local rig = assert(M.open({ endpoints = server.endpoints, user = "u", password = "p" }))
      assert.equal("ok", rig:finish(put(rig)).kind)
      rig:watch(1100)
      server:tell({ answers = { Txn = { { code = 16, message = "etcdserver: invalid auth token" } } } })
      assert.equal("ok", rig:finish(txn(rig)).kind)
      assert.same({ 2, 2 }, { #server:requests("Authenticate"), #server:requests("Txn") })
      rig:watch(1100)
      server:tell({ answers = { Txn = { { code = 3, message = "etcdserver: revision of auth store is old", for_ever = true } } } })
      local got = rig:finish(txn(rig))
      assert.equal("token", got.kind, got.text)
      assert.truthy(#server:requests("Authenticate") <= 5)
      for _, request in ipairs(server:requests("Txn")) do
        assert.truthy(request.token and #request.token > 0)
      end
    end)

    it("asks for a leader unless that does not matter", function()
      local rig = assert(M.open({ endpoints = server.endpoints }))
      rig:put("a", "1")
      rig:range("a")
      rig:range("a", { serializable = true })
      rig:status(0)
      local asked = {}
      for _, request in ipairs(server:requests()) do
        asked[#asked + 1] = request.method .. " " .. (request.hasleader or "")
      end
      assert.same({ "Put true", "Range true", "Range ", "Status " }, asked)
    end)

    it("goes on after the server sent it away, or broke the connection", function()
      local rig = assert(M.open({ endpoints = server.endpoints }))
      for _, order in ipairs({
        { goaway = { code = 0, close = true } },
        { goaway = { code = 11, debug = "too_many_pings", close = true } },
        { reset = true },
        { raw = "ffffffffffffffffffffffff" },
      }) do
        assert.equal("ok", rig:put("a", "1").kind)
        server:tell(order)
        local got = rig:put("a", "2")
        assert.equal("ok", got.kind, got.text)
      end
    end)
  end)
end)
