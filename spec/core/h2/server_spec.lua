local M = require("spec.core.h2.rig")
local C, frames = M.C, M.frames

describe("h2/server", function()
  local rig
  local function start(server)
    rig = M.rig({ server = server })
    rig.listen()
  end
  after_each(function()
    rig.free()
  end)

  it("echoes a body with headers and trailers", function()
    start()
    local call = rig.fetch("/echo", ("x"):rep(100000))
    assert.equal(0, call["end"].code)
    assert.equal(100000, tonumber(call.body.len))
    assert.equal(":status: 200\ncontent-type: application/grpc\n", rig.text(call.head))
    assert.equal("grpc-status: 0\nx-empty: \n", rig.text(call.trailers))
    assert.equal(1, call.heads)
    assert.equal(1, call.ends)
    assert.equal(1, call.closes)
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 1
    end))
    assert.equal(0, rig.ptr["end"].code)
  end)

  it("counts connections and streams", function()
    start()
    for _ = 1, 3 do
      rig.fetch("/echo")
    end
    assert.equal(1, rig.metric("perigee_h2_connections", 'listener="app"'))
    assert.equal(3, rig.metric("perigee_h2_streams_total", 'listener="app"'))
    assert.equal(1, rig.metric("perigee_h2_connections", 'listener="client"'))
    assert.equal(1, tonumber(C.peri_h2_server_conns(rig.ptr.server)))
  end)

  it("drains: two GOAWAYs with a round trip between, then closes", function()
    start()
    local peer = rig.raw()
    peer.greet()
    peer.request(1, "/hold", nil, true)
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    C.rig_drain(rig.ptr)
    local first = peer.wait(frames.GOAWAY)
    assert.equal("\127\255\255\255\0\0\0\0", first.payload)
    local ping = peer.wait(frames.PING)
    peer.got = ""
    -- Sent before the peer could know: still served.
    peer.request(3, "/early")
    peer.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    local second = peer.wait(frames.GOAWAY)
    assert.equal("\0\0\0\3\0\0\0\0", second.payload)
    assert.equal(2, rig.ptr.requests)
    assert.equal(0, rig.ptr.drained)
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, "\0\0\0\8"))
    assert.is_true(peer.wait_closed())
    peer.close()
    assert.is_true(rig.until_true(function()
      return rig.ptr.drained == 1
    end))
    assert.equal(1, rig.ptr.conn_closes)
  end)

  it("drains soon with an idle peer that reads nothing", function()
    start()
    local peer = rig.raw()
    peer.greet()
    peer.request(1, "/echo")
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 1
    end))
    C.rig_drain(rig.ptr)
    -- The PING may go unanswered for 10 s while there are calls.
    assert.is_true(rig.until_true(function()
      return rig.ptr.drained == 1
    end))
    peer.close()
  end)

  it("waits longer for one with a call under way", function()
    start()
    local peer = rig.raw()
    peer.greet()
    peer.request(1, "/hold", nil, true)
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    C.rig_drain(rig.ptr)
    peer.wait(frames.PING)
    local until_ns = C.peri_loop_now_ns(rig.ptr.loop) + 1000000000
    rig.until_true(function()
      return C.peri_loop_now_ns(rig.ptr.loop) > until_ns
    end)
    peer.receive()
    local notices = 0
    for _, frame in ipairs(frames.parse(peer.got)) do
      notices = notices + (frame.kind == frames.GOAWAY and 1 or 0)
    end
    assert.equal(1, notices)
    assert.equal(0, rig.ptr.drained)
    peer.close()
  end)

  it("says drained from the loop when there is nothing to drain", function()
    start()
    C.rig_drain(rig.ptr)
    assert.equal(0, rig.ptr.drained)
    rig.step()
    assert.equal(1, rig.ptr.drained)
  end)

  it("lets a client's calls end while draining, and takes no new connection", function()
    start()
    local call = rig.open("/echo", false)
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    C.rig_drain(rig.ptr)
    for _ = 1, 10 do
      rig.step()
    end
    assert.equal(0, call.closes)
    C.rig_call_finish(call)
    rig.wait(call)
    assert.equal(0, call["end"].code)
    assert.is_true(rig.until_true(function()
      return rig.ptr.drained == 1
    end))
    local late = rig.fetch("/echo")
    assert.is_true(late["end"].code < 0)
  end)

  it("survives being freed from within on_request", function()
    start()
    local other = rig.open("/hold")
    local call = rig.fetch("/free")
    rig.wait(other)
    assert.equal(C.PERI_ECLOSED, call["end"].code)
    assert.is_true(rig.ptr.server == nil)
    assert.equal(2, rig.ptr.closes)
    assert.equal(1, rig.ptr.conn_closes)
  end)

  it("refuses connections beyond its limit", function()
    start({ conns_per_listener = 1 })
    rig.raw()
    assert.equal(-1, C.rig_raw(rig.ptr, 0))
    assert.equal(1, tonumber(C.peri_h2_server_conns(rig.ptr.server)))
  end)

  it("closes what does not speak HTTP/2", function()
    start()
    local peer = rig.raw()
    peer.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
    assert.is_true(peer.wait_closed())
  end)
end)
