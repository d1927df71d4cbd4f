local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C = M.C

describe("etcd/stream", function()
  local path = "/etcdserverpb.Lease/LeaseKeepAlive"
  -- A request to keep lease 77 alive.
  local ask = "\8\77"

  after_each(function()
    M.close_all()
    etcd.stop_all()
  end)

  local function send(made, bytes)
    return C.peri_etcd_stream_send(made.stream, M.slice(bytes))
  end

  it("carries messages both ways", function()
    local cluster = etcd.start()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local made = rig:start_stream(path)
    assert.equal(0, made.code)
    assert.equal(0, C.peri_etcd_stream_endpoint(made.stream))
    for i = 1, 5 do
      assert.equal(0, send(made, ask))
      rig:await("an answer", function()
        return made.messages >= i
      end)
    end
    C.peri_etcd_stream_close(made.stream)
    C.peri_etcd_stream_close(nil)
    rig:watch(50)
    assert.same({ 5, 0 }, { made.messages, made.count })
  end)

  it("may be closed from within its callbacks", function()
    local cluster = etcd.start()
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local made = rig:start_stream(path, -1, { cancel_at = 2 })
    send(made, ask)
    send(made, ask)
    send(made, ask)
    rig:await("two answers", function()
      return made.messages == 2
    end)
    rig:watch(50)
    assert.same({ 2, 0 }, { made.messages, made.count })
    -- And from within its end.
    local other = rig:start_stream(path, -1, { cancel_at = -1 })
    send(other, ask)
    rig:await("an answer", function()
      return other.messages == 1
    end)
    cluster:kill()
    local got = rig:finish(other)
    assert.same({ "busy", 1 }, { got.kind, got.count }, got.text)
  end)

  it("says why it ended", function()
    local cluster = etcd.start()
    local dead = "http://127.0.0.1:" .. proc.free_port()
    local rig = assert(M.open({ endpoints = { cluster.endpoints[1], dead } }))
    local none = rig:finish(rig:start_stream(path, 1))
    assert.equal("unreachable", none.kind, none.text)
    assert.equal(0, C.peri_etcd_endpoint_best(rig.etcd, -1))
    local wrong = rig:finish(rig:start_stream("/no.Such/Method", 0))
    assert.equal("garbage", wrong.kind, wrong.text)
    -- A method with one answer ends in peace.
    local unary = rig:start_stream("/etcdserverpb.KV/Range", 0)
    send(unary, "\10\1k")
    local got = rig:finish(unary)
    assert.same({ "busy", 0, 1 }, { got.kind, got.status, got.messages })
  end)

  it("is ended by a member that lost its leader", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local rig = assert(M.open({ endpoints = cluster.endpoints }))
    local follower = cluster:leader() % 3 + 1
    local made = rig:start_stream("/etcdserverpb.Watch/Watch", follower - 1)
    send(made, "\10\3\10\1k")
    rig:await("the watch", function()
      return made.messages == 1
    end)
    for i = 1, 3 do
      if i ~= follower then
        cluster:kill(i)
      end
    end
    local got = rig:finish(made, 20000)
    assert.equal("no_leader", got.kind, got.text)
    -- And is not begun there.
    got = rig:finish(rig:start_stream("/etcdserverpb.Watch/Watch", follower - 1))
    assert.equal("no_leader", got.kind, got.text)
  end)

  it("waits for a token, with what is sent meanwhile", function()
    local cluster = etcd.start()
    cluster:ctl("user", "add", "root:rootpw")
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("auth", "enable")
    local rig = assert(M.open({ endpoints = cluster.endpoints, user = "root", password = "rootpw" }))
    local made, closed = rig:start_stream("/etcdserverpb.Watch/Watch"), rig:start_stream("/etcdserverpb.Watch/Watch")
    assert.equal(0, send(made, "\10\3\10\1k"))
    assert.equal(0, send(made, "\10\3\10\1l"))
    assert.equal(0, send(closed, "\10\3\10\1l"))
    assert.equal(tonumber(C.PERI_ELIMIT), send(made, ("x"):rep(4 * 2 ^ 20)))
    C.peri_etcd_stream_close(closed.stream)
    rig:await("both watches", function()
      return made.messages == 2
    end)
    assert.is_nil(M.read(made).bytes:find("Unauthenticated", 1, true))
    rig:close()
    -- Without one there is no stream.
    rig = assert(M.open({ endpoints = cluster.endpoints, user = "root", password = "wrong" }))
    made = rig:start_stream("/etcdserverpb.Watch/Watch")
    send(made, "\10\3\10\1k")
    local got = rig:finish(made)
    assert.same({ "login", 0 }, { got.kind, got.messages }, got.text)
    -- The session may go while one waits.
    made = rig:start_stream("/etcdserverpb.Watch/Watch")
    send(made, "\10\3\10\1k")
    rig:close()
  end)
end)
