local M = require("spec.core.h2.rig")
local C, frames = M.C, M.frames

describe("h2/conn_limits", function()
  local rig, peer
  local function start(server, quiet)
    rig = M.rig({ server = server })
    peer = rig.raw()
    if not quiet then
      peer.greet()
      assert.is_true(rig.until_true(function()
        peer.receive()
        return #peer.got > 0
      end))
    end
  end
  after_each(function()
    rig.free()
  end)

  local function expect_calm(kind)
    local goaway = peer.wait(frames.GOAWAY)
    assert.equal("\0\0\0\11", goaway.payload:sub(5, 8))
    assert.is_true(peer.wait_closed())
    assert.equal(1, rig.metric("perigee_h2_floods_total", ('listener="app",kind="%s"'):format(kind)))
    peer.close()
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
  end

  it("ends a flood of SETTINGS", function()
    start({ settings_per_s = 5 })
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""):rep(6))
    expect_calm("settings")
  end)

  it("ends a flood of PINGs", function()
    start({ pings_per_s = 5 })
    peer.send(frames.frame(frames.PING, 0, 0, "12345678"):rep(6))
    expect_calm("ping")
  end)

  it("ends rapid resets", function()
    start({ resets_per_s = 5 })
    for i = 1, 6 do
      peer.request(2 * i - 1, "/hold", nil, true)
      peer.send(frames.frame(frames.RST_STREAM, 0, 2 * i - 1, "\0\0\0\8"))
    end
    expect_calm("reset")
    assert.equal(rig.ptr.requests, rig.ptr.closes)
  end)

  it("lets a peer reset what ran for a while", function()
    start({ resets_per_s = 5 })
    for i = 1, 20 do
      peer.request(2 * i - 1, "/hold", nil, true)
    end
    local until_ns = C.peri_loop_now_ns(rig.ptr.loop) + 120000000
    rig.until_true(function()
      return rig.ptr.requests == 20 and C.peri_loop_now_ns(rig.ptr.loop) > until_ns
    end)
    for i = 1, 20 do
      peer.send(frames.frame(frames.RST_STREAM, 0, 2 * i - 1, "\0\0\0\8"))
    end
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 20
    end))
    peer.request(41, "/early")
    assert.is_true(peer.wait(frames.HEADERS, 41) ~= nil)
    assert.is_nil(frames.seen(peer.got, frames.GOAWAY))
  end)

  it("ends resets that the peer makes us send", function()
    start({ resets_per_s = 5 })
    for i = 1, 6 do
      peer.request(2 * i - 1, "/hold", nil, true)
      peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 2 * i - 1, "\127\255\255\255"))
    end
    expect_calm("reset")
  end)

  it("ends a peer that never reads our acknowledgements", function()
    rig = M.rig({ server = { pings_per_s = 1000000 } })
    peer = rig.raw(4096)
    peer.greet()
    local flood = frames.frame(frames.PING, 0, 0, "12345678"):rep(50)
    assert.is_true(rig.until_true(function()
      peer.send(flood)
      return rig.metric("perigee_h2_floods_total", 'listener="app",kind="ack"') == 1
    end))
  end)

  it("allows as much in each second", function()
    start({ pings_per_s = 5 })
    peer.send(frames.frame(frames.PING, 0, 0, "12345678"):rep(5))
    peer.wait(frames.PING)
    assert.is_nil(frames.seen(peer.got, frames.GOAWAY))
    peer.request(1, "/early")
    assert.is_true(peer.wait(frames.HEADERS, 1) ~= nil)
  end)

  local function expect_timeout(kind)
    assert.is_true(peer.wait_closed())
    assert.equal(1, rig.metric("perigee_h2_timeouts_total", ('listener="app",kind="%s"'):format(kind)))
  end

  it("closes half-open connections", function()
    start({ handshake_ms = 60 }, true)
    expect_timeout("handshake")
  end)

  it("closes connections that stop in the preface", function()
    start({ handshake_ms = 60 }, true)
    peer.send(frames.preface:sub(1, 10))
    expect_timeout("handshake")
  end)

  it("closes connections whose header block never ends", function()
    start({ handshake_ms = 60 })
    peer.send(frames.frame(frames.HEADERS, 0, 1, frames.request("/hold")))
    expect_timeout("handshake")
  end)

  it("closes idle connections with a GOAWAY, but none with a stream", function()
    start({ idle_ms = 400, keepalive_ms = 0 })
    peer.request(1, "/hold", nil, true)
    local other = rig.raw()
    other.greet()
    assert.is_true(other.wait_closed())
    assert.is_true(frames.seen(other.got, frames.GOAWAY) ~= nil)
    assert.is_true(peer.open)
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, "\0\0\0\8"))
    assert.is_true(peer.wait_closed())
  end)

  it("closes connections whose peer does not read", function()
    rig = M.rig({ server = { stall_ms = 100, keepalive_ms = 0 } })
    peer = rig.raw(4096)
    peer.greet("\0\4\127\255\255\255")
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(2000000000)))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 5000000, 200000
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
    assert.equal(1, rig.metric("perigee_h2_timeouts_total", 'listener="app",kind="stall"'))
    assert.equal(C.PERI_ETIMEOUT, rig.ptr["end"].code)
    assert.is_true(rig.until_true(function()
      return rig.ptr.borrowed == rig.ptr.released
    end))
  end)

  it("pings a quiet peer and closes when no answer comes", function()
    start({ keepalive_ms = 60, keepalive_timeout_ms = 60 })
    local ping = peer.wait(frames.PING)
    assert.equal(0, ping.flags)
    peer.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    peer.got = ""
    assert.is_true(peer.wait(frames.PING) ~= nil)
    expect_timeout("keepalive")
  end)
end)
