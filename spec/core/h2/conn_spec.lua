local M = require("spec.core.h2.rig")
local C, frames = M.C, M.frames

describe("h2/conn", function()
  local rig
  after_each(function()
    rig.free()
  end)

  local function start(server)
    rig = M.rig({ server = server })
    local peer = rig.raw()
    peer.greet()
    peer.wait(frames.SETTINGS)
    return peer
  end

  it("answers all requests of one read with one write", function()
    local peer = start()
    rig.step()
    peer.receive()
    peer.got = ""
    local requests = {}
    for i = 1, 20 do
      requests[i] = frames.frame(frames.HEADERS, 5, 2 * i - 1, frames.request("/early"))
    end
    peer.send(table.concat(requests))
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests > 0
    end))
    -- One read of the peer's gets what one write sent.
    peer.receive()
    local heads = 0
    for _, frame in ipairs(frames.parse(peer.got)) do
      heads = heads + (frame.kind == frames.HEADERS and 1 or 0)
    end
    assert.equal(20, heads)
  end)

  it("stops reading from a peer that does not read", function()
    rig = M.rig({ server = { conn_buffer_bytes = 100000, keepalive_ms = 0 } })
    local peer = rig.raw(4096)
    peer.greet("\0\4\127\255\255\255")
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(2000000000)))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 3000000, 100000
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      return rig.ptr.ends == 1
    end))
    local junk = frames.frame(frames.PRIORITY, 0, 3, "\0\0\0\0\1")
    local written = 0
    for _ = 1, 2000 do
      local count = peer.send(junk)
      if count < 0 then
        break
      end
      written = written + count
      rig.step(0)
    end
    assert.is_true(written < 2000 * #junk)
    -- Reading goes on once the peer does.
    assert.is_true(rig.until_true(function()
      peer.receive()
      return rig.ptr.released == 30
    end))
    local tail = #peer.got
    assert.is_true(tail > 3000000)
  end)

  it("lingers until the peer has read its last words", function()
    local peer = start()
    C.rig_drain(rig.ptr)
    local ping = peer.wait(frames.PING)
    peer.send(frames.frame(frames.PING, frames.ACK, 0, ping.payload))
    assert.is_true(rig.until_true(function()
      peer.receive()
      return not peer.open
    end))
    assert.equal(0, rig.ptr.conn_closes)
    peer.send(frames.frame(frames.PING, 0, 0, "too late"))
    peer.close()
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
    assert.equal(1, rig.ptr.drained)
  end)

  it("closes by itself when the peer lingers too long", function()
    local peer = start({ idle_ms = 50 })
    assert.is_true(peer.wait_closed())
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
  end)
end)
