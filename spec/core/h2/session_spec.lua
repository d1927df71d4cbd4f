local M = require("spec.core.h2.rig")
local C, frames = M.C, M.frames

describe("h2/session", function()
  local rig
  before_each(function()
    rig = M.rig()
  end)
  after_each(function()
    rig.free()
  end)

  it("sends body as the peer's windows allow, and trailers after it", function()
    local peer = rig.raw()
    peer.greet("\0\4" .. frames.u32(1000))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 2500, 2500
    peer.request(1, "/bytes")
    local sent = function()
      peer.receive()
      local total, ended = 0, false
      for _, frame in ipairs(frames.parse(peer.got)) do
        if frame.stream == 1 then
          total = total + (frame.kind == frames.DATA and #frame.payload or 0)
          ended = frame.flags % 2 == 1
        end
      end
      return total, ended
    end
    for _, expected in ipairs({ 1000, 2000, 2500 }) do
      assert.is_true(rig.until_true(function()
        return sent() == expected
      end))
      rig.step()
      local total, ended = sent()
      assert.equal(expected, total)
      assert.equal(expected == 2500, ended)
      peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 1, frames.u32(1000)))
    end
    assert.equal(rig.ptr.borrowed, rig.ptr.released)
  end)

  it("sends no DATA frame without bytes before trailers", function()
    local peer = rig.raw()
    peer.greet()
    rig.ptr.reply_bytes = 0
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      peer.receive()
      local last = frames.parse(peer.got)
      last = last[#last]
      return last and last.kind == frames.HEADERS and last.flags % 2 == 1
    end))
    assert.is_nil(frames.seen(peer.got, frames.DATA, 1))
  end)

  it("ends a stream whose answer came before its request was over with NO_ERROR", function()
    local peer = rig.raw()
    peer.greet()
    peer.request(1, "/early", nil, true)
    assert.equal("\0\0\0\0", peer.wait(frames.RST_STREAM, 1).payload)
  end)

  it("reopens windows in batches, as what came is consumed", function()
    local peer = rig.raw()
    peer.greet()
    peer.wait(frames.SETTINGS)
    -- Our larger window counts from the acknowledgement on.
    peer.send(frames.frame(frames.SETTINGS, frames.ACK, 0, ""))
    peer.request(1, "/hold", nil, true)
    rig.ptr.hungry = false
    local part = frames.frame(frames.DATA, 0, 1, ("x"):rep(16000))
    for _ = 1, 9 do
      peer.send(part)
      rig.step(0)
    end
    assert.is_true(rig.until_true(function()
      return tonumber(rig.ptr.received) == 9 * 16000
    end))
    peer.receive()
    peer.got = ""
    C.peri_h2_stream_consume(rig.ptr.last, 1000)
    rig.step()
    peer.receive()
    assert.is_nil(frames.seen(peer.got, frames.WINDOW_UPDATE))
    C.peri_h2_stream_consume(rig.ptr.last, 143000)
    assert.equal(frames.u32(144000), peer.wait(frames.WINDOW_UPDATE, 1).payload)
  end)

  it("asks a server not to push", function()
    local port = M.ffi.new("uint16_t[1]")
    local fd = C.rig_mute(port)
    local call = rig.open("/echo", nil, "127.0.0.1:" .. port[0])
    local accepted = -1
    assert.is_true(rig.until_true(function()
      accepted = C.rig_mute_accept(fd)
      return accepted >= 0
    end))
    local peer = rig.peer(accepted)
    assert.is_true(rig.until_true(function()
      peer.receive()
      return #peer.got > #frames.preface + 9
    end))
    assert.equal(frames.preface, peer.got:sub(1, #frames.preface))
    local settings = frames.parse(peer.got:sub(#frames.preface + 1))[1]
    assert.is_truthy(settings.payload:find("\0\2\0\0\0\0", 1, true))
    peer.close()
    rig.wait(call)
    M.ffi.C.close(fd)
  end)
end)
