local M = require("spec.core.h2.rig")
local frames = M.frames

describe("h2/session_recv", function()
  local rig, peer
  local function start(server)
    rig = M.rig({ server = server })
    peer = rig.raw()
    peer.greet()
  end
  after_each(function()
    rig.free()
  end)

  local function big(bytes)
    return { { "x-big", ("v"):rep(bytes) } }
  end

  it("announces its limits", function()
    start({ streams_per_conn = 77, stream_window_bytes = 12345, header_list_bytes = 9999 })
    local settings = peer.wait(frames.SETTINGS).payload
    local function has(id, value)
      return settings:find("\0" .. string.char(id) .. frames.u32(value), 1, true) ~= nil
    end
    assert.is_true(has(3, 77))
    assert.is_true(has(4, 12345))
    assert.is_true(has(6, 9999))
  end)

  it("answers a header list over the limit with 431", function()
    start({ header_list_bytes = 2000 })
    peer.request(1, "/early", big(1900))
    local head = peer.wait(frames.HEADERS, 1)
    assert.is_true(head.payload:find("431", 1, true) ~= nil or #head.payload < 8)
    assert.equal(0, rig.ptr.requests)
    peer.request(3, "/early", big(1000))
    assert.is_true(peer.wait(frames.HEADERS, 3) ~= nil)
    assert.equal(1, rig.ptr.requests)
  end)

  it("does not unpack a header list that names one long field again and again", function()
    start({ header_list_bytes = 16384 })
    local field = "\64\1x\127\189\29" .. ("y"):rep(3900)
    local function request(stream, times)
      local block = frames.request("/early") .. field .. ("\190"):rep(times)
      peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS + frames.END_STREAM, stream, block))
    end
    -- Ten times too long: still answered, and the connection stays.
    request(1, 40)
    assert.is_true(peer.wait(frames.HEADERS, 1) ~= nil)
    request(3, 10000)
    assert.is_true(peer.wait_closed())
    assert.equal(0, rig.ptr.requests)
    assert.equal(1, rig.metric("perigee_h2_floods_total", 'listener="app",kind="headers"'))
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
  end)

  it("resets a stream whose trailers are over the limit", function()
    start({ header_list_bytes = 2000 })
    peer.request(1, "/hold", nil, true)
    peer.send(frames.frame(frames.HEADERS, frames.END_HEADERS + frames.END_STREAM, 1, frames.block(big(2500))))
    assert.equal("\0\0\0\11", peer.wait(frames.RST_STREAM, 1).payload)
  end)

  it("takes headers split over CONTINUATION frames and padded data", function()
    start()
    local block = frames.request("/echo")
    peer.send(frames.frame(frames.HEADERS, 0, 1, block:sub(1, 10)))
    peer.send(frames.frame(frames.CONTINUATION, 0, 1, block:sub(11, 20)))
    peer.send(frames.frame(frames.CONTINUATION, frames.END_HEADERS, 1, block:sub(21)))
    peer.send(frames.frame(frames.DATA, frames.END_STREAM + frames.PADDED, 1, "\4abc\0\0\0\0"))
    assert.equal("abc", peer.wait(frames.DATA, 1).payload)
  end)

  it("takes input byte by byte", function()
    start()
    local all = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.request("/echo"))
      .. frames.frame(frames.DATA, frames.END_STREAM, 1, "hello")
    for i = 1, #all do
      peer.send(all:sub(i, i))
      rig.step(0)
    end
    local echo = ""
    assert.is_true(rig.until_true(function()
      peer.receive()
      echo = ""
      for _, frame in ipairs(frames.parse(peer.got)) do
        echo = echo .. (frame.kind == frames.DATA and frame.payload or "")
      end
      return #echo == 5
    end))
    assert.equal("hello", echo)
  end)

  it("answers a PING", function()
    start()
    peer.send(frames.frame(frames.PING, 0, 0, "12345678"))
    local pong = peer.wait(frames.PING)
    assert.equal(frames.ACK, pong.flags)
    assert.equal("12345678", pong.payload)
  end)

  it("lets nghttp2 refuse what breaks the rules of messages", function()
    start()
    peer.send(frames.frame(frames.HEADERS, 5, 1, frames.block({ { ":method", "POST" }, { ":path", "/early" } })))
    assert.is_true(peer.wait(frames.RST_STREAM, 1) ~= nil)
    peer.request(3, "/early", { { "connection", "close" } })
    assert.is_true(peer.wait(frames.RST_STREAM, 3) ~= nil)
    peer.request(5, "/early", { { "Upper", "x" } })
    assert.is_true(peer.wait(frames.RST_STREAM, 5) ~= nil)
    assert.equal(0, rig.ptr.requests)
  end)

  it("ends the connection on a connection error", function()
    start()
    peer.send(frames.frame(frames.DATA, 0, 1, "no such stream"))
    assert.equal("\0\0\0\1", peer.wait(frames.GOAWAY).payload:sub(5, 8))
    assert.is_true(peer.wait_closed())
  end)

  it("refuses streams beyond the announced number", function()
    start({ streams_per_conn = 2 })
    peer.wait(frames.SETTINGS)
    peer.send(frames.frame(frames.SETTINGS, frames.ACK, 0, ""))
    for stream = 1, 3, 2 do
      peer.request(stream, "/hold", nil, true)
    end
    peer.request(5, "/hold", nil, true)
    assert.is_true(rig.until_true(function()
      peer.receive()
      return frames.seen(peer.got, frames.RST_STREAM, 5) or frames.seen(peer.got, frames.GOAWAY)
    end))
    assert.equal(2, rig.ptr.requests)
  end)

  it("holds requests back while too much is unsent, and loses none", function()
    start({ conn_buffer_bytes = 30000 })
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(1000000)))
    rig.ptr.reply_bytes = 200000
    peer.request(1, "/bytes")
    peer.wait(frames.DATA, 1)
    peer.request(3, "/echo", nil, true)
    peer.send(frames.frame(frames.DATA, 0, 3, "held "))
    peer.send(frames.frame(frames.DATA, frames.END_STREAM, 3, "back"))
    for _ = 1, 10 do
      rig.step()
    end
    assert.equal(1, rig.ptr.requests)
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 1, frames.u32(1000000)))
    local data = peer.wait(frames.DATA, 3)
    assert.equal("held back", data.payload)
    assert.equal(2, rig.ptr.requests)
  end)
end)
