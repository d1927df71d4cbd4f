local M = require("spec.core.h2.rig")
local C, ffi, frames = M.C, M.ffi, M.frames

describe("h2/client", function()
  local rig
  local function start(options)
    rig = M.rig(options)
  end
  after_each(function()
    rig.free()
  end)

  --- A server played by the spec: listens, and accepts the client's connection.
  local function mute()
    local port = ffi.new("uint16_t[1]")
    local fd = C.rig_mute(port)
    assert.is_true(fd >= 0)
    local self = { fd = fd, address = "127.0.0.1:" .. port[0] }
    function self.accept()
      local accepted = -1
      assert.is_true(rig.until_true(function()
        accepted = C.rig_mute_accept(fd)
        return accepted >= 0
      end))
      return rig.peer(accepted)
    end
    function self.close()
      ffi.C.close(fd)
    end
    return self
  end

  it("keeps one connection for many calls", function()
    start()
    rig.listen()
    for _ = 1, 5 do
      assert.equal(0, rig.fetch("/echo", "abc")["end"].code)
    end
    assert.equal(1, rig.ptr.accepted)
  end)

  it("talks over a Unix socket", function()
    start()
    local path = os.tmpname()
    os.remove(path)
    rig.listen("unix:" .. path)
    assert.equal("abc", rig.text(rig.fetch("/echo", "abc").body))
  end)

  it("fails streams of a refused connection as unprocessed, then backs off", function()
    start({ pool = { backoff_min_ms = 300 } })
    local server = mute()
    server.close()
    local call = rig.open("/echo", "x", server.address)
    assert.equal(0, call.closes)
    rig.wait(call)
    assert.equal(C.PERI_ECONNECT, call["end"].code)
    assert.is_true(call["end"].unprocessed)
    assert.is_false(call["end"].goaway)
    local held = rig.open("/echo", nil, server.address)
    assert.equal(0, held.closes)
    rig.step(0)
    assert.equal(1, held.closes)
    assert.equal(C.PERI_ECONNECT, held["end"].code)
    assert.is_true(held["end"].unprocessed)
  end)

  it("may be asked again from within on_close", function()
    start({ pool = { backoff_min_ms = 300 } })
    local server = mute()
    server.close()
    local call = rig.open("/echo", nil, server.address)
    call.again = true
    assert.is_true(rig.until_true(function()
      return call.closes == 2
    end))
    assert.equal(C.PERI_ECONNECT, call["end"].code)
  end)

  it("marks refused and never-sent streams after a GOAWAY as unprocessed", function()
    start()
    local server = mute()
    local first = rig.open("/echo", nil, server.address)
    local second = rig.open("/echo", nil, server.address)
    local peer = server.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    rig.until_true(function()
      peer.receive()
      return peer.got:find("\1\5\0\0\0\3", 1, true)
    end)
    peer.send(frames.frame(frames.GOAWAY, 0, 0, "\0\0\0\1\0\0\0\0"))
    rig.wait(second)
    assert.is_true(second["end"].unprocessed)
    assert.is_true(second["end"].goaway)
    assert.equal(C.PERI_EREFUSED, second["end"].code)
    assert.equal(0, first.closes)
    -- A GOAWAY'd connection gets no new stream.
    local third = rig.open("/echo", nil, server.address)
    local other = server.accept()
    peer.close()
    rig.wait(first)
    assert.equal(C.PERI_ECLOSED, first["end"].code)
    assert.is_false(first["end"].unprocessed)
    assert.is_false(first["end"].goaway)
    other.close()
    rig.wait(third)
    server.close()
  end)

  it("opens another connection when the peer's stream limit is reached", function()
    start({ server = { streams_per_conn = 2 } })
    rig.listen()
    rig.fetch("/echo")
    local held = {}
    for i = 1, 5 do
      held[i] = rig.open("/hold")
    end
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 6
    end))
    assert.equal(3, rig.ptr.accepted)
    for i = 1, 5 do
      C.peri_h2_stream_reset(held[i].stream, 8)
      rig.wait(held[i])
    end
  end)

  it("spreads what comes at once over connections before their SETTINGS", function()
    start()
    local server = mute()
    for _ = 1, 250 do
      rig.open("/echo", nil, server.address)
    end
    for _ = 1, 3 do
      server.accept()
    end
    rig.step()
    assert.equal(-1, C.rig_mute_accept(server.fd))
    server.close()
  end)

  it("pings a server that is quiet once, until it has said something", function()
    start({ client = { keepalive_ms = 40, keepalive_timeout_ms = 2000 } })
    local server = mute()
    local call = rig.open("/hold", nil, server.address)
    local peer = server.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    local function pings()
      local count = 0
      peer.receive()
      for _, frame in ipairs(frames.parse(peer.got:sub(#frames.preface + 1))) do
        if frame.kind == frames.PING then
          count = count + 1
          if count > (peer.answered or 0) then
            peer.answered = count
            peer.send(frames.frame(frames.PING, frames.ACK, 0, frame.payload))
          end
        end
      end
      return count
    end
    assert.is_true(rig.until_true(function()
      return pings() == 1
    end))
    local until_ns = C.peri_loop_now_ns(rig.ptr.loop) + 300000000
    rig.until_true(function()
      pings()
      return C.peri_loop_now_ns(rig.ptr.loop) > until_ns
    end)
    assert.equal(1, pings())
    peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.block({ { ":status", "200" } })))
    assert.is_true(rig.until_true(function()
      return pings() == 2
    end))
    C.peri_h2_stream_reset(call.stream, 8)
    rig.wait(call)
    server.close()
  end)

  it("takes any number of resets from a server", function()
    start({ client = { resets_per_s = 2 } })
    rig.listen()
    rig.ptr.reset_error = 7
    for _ = 1, 10 do
      local call = rig.fetch("/reset")
      assert.equal(C.PERI_EREFUSED, call["end"].code)
      assert.is_false(call["end"].goaway)
    end
    assert.equal(1, rig.ptr.accepted)
  end)

  it("cancels a request that waits for its turn", function()
    start({ server = { streams_per_conn = 1 } })
    rig.listen()
    rig.fetch("/echo")
    local held = {}
    for i = 1, 32 do
      held[i] = rig.open("/hold")
      assert.is_true(rig.until_true(function()
        return rig.ptr.requests == i + 1
      end))
    end
    for i = 33, 36 do
      held[i] = rig.open("/hold")
    end
    rig.step()
    for i = 36, 1, -1 do
      C.peri_h2_stream_reset(held[i].stream, 8)
      rig.wait(held[i])
      assert.equal(i > 32, held[i]["end"].unprocessed)
    end
    assert.equal(0, rig.fetch("/echo")["end"].code)
  end)

  it("retires connections of an address once their streams have ended", function()
    start()
    local address = rig.listen()
    local call = rig.open("/echo", false)
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    C.peri_h2_client_retire(rig.ptr.client, ffi.new("struct peri_slice", { address, #address }))
    C.rig_call_finish(call)
    rig.wait(call)
    assert.equal(0, call["end"].code)
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
    assert.equal(0, rig.metric("perigee_h2_connections", 'listener="client"'))
  end)

  it("closes idle connections", function()
    start({ client = { idle_ms = 60 } })
    rig.listen()
    rig.fetch("/echo")
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
  end)

  it("gives up a peer that never answers its preface", function()
    start({ client = { handshake_ms = 60 } })
    local server = mute()
    local call = rig.open("/echo", nil, server.address)
    rig.wait(call)
    assert.equal(C.PERI_ETIMEOUT, call["end"].code)
    server.close()
  end)

  it("refuses addresses that are none", function()
    start()
    assert.is_true(C.rig_open(rig.ptr, "nowhere", "/", true) == nil)
  end)

  it("ends its streams when it is freed", function()
    start()
    rig.listen()
    local sent = rig.open("/hold")
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    local waiting = rig.open("/hold")
    C.rig_client_free(rig.ptr)
    assert.equal(1, sent.closes)
    assert.equal(1, waiting.closes)
    assert.equal(C.PERI_ECLOSED, sent["end"].code)
    assert.is_false(sent["end"].unprocessed)
    assert.is_true(waiting["end"].unprocessed)
  end)
end)
