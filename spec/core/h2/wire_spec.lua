local M = require("spec.core.h2.rig")
local C, ffi, frames = M.C, M.ffi, M.frames

describe("h2/wire", function()
  local rig
  before_each(function()
    rig = M.rig({ server = { keepalive_ms = 0 } })
  end)
  after_each(function()
    rig.free()
  end)

  it("keeps what a full socket does not take, in order, and releases it after", function()
    local peer = rig.raw(4096)
    peer.greet("\0\4\127\255\255\255")
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(2000000000)))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 3000000, 100000
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      return rig.ptr.ends == 1
    end))
    rig.step()
    assert.equal(30, rig.ptr.borrowed)
    assert.is_true(rig.ptr.released < 30)
    local total, last = 0, nil
    assert.is_true(rig.until_true(function()
      peer.receive()
      local all = frames.parse(peer.got)
      last = all[#all]
      return last and last.stream == 1 and last.flags % 2 == 1
    end))
    for _, frame in ipairs(frames.parse(peer.got)) do
      total = total + (frame.kind == frames.DATA and #frame.payload or 0)
    end
    assert.equal(3000000, total)
    assert.equal(frames.HEADERS, last.kind)
    assert.is_true(rig.until_true(function()
      return rig.ptr.released == 30
    end))
  end)

  it("takes turns between a connection with much to say and the others", function()
    local flood, other = rig.raw(), rig.raw()
    flood.greet()
    other.greet()
    assert.is_true(flood.wait(frames.SETTINGS) ~= nil)
    assert.is_true(other.wait(frames.SETTINGS) ~= nil)
    local much = frames.frame(200, 0, 0, ("x"):rep(16384)):rep(10)
    local last = frames.frame(frames.HEADERS, frames.END_HEADERS, 1, frames.request("/hold"))
    assert.equal(#much + #last, flood.send(much .. last))
    other.request(1, "/hold", nil, true)
    rig.step()
    assert.equal(1, rig.ptr.requests)
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 2
    end))
  end)

  it("releases what it keeps when the peer goes away", function()
    local peer = rig.raw(4096)
    peer.greet("\0\4\127\255\255\255")
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(2000000000)))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 3000000, 100000
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      return rig.ptr.ends == 1
    end))
    peer.close()
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1 and rig.ptr.released == 30
    end))
    assert.equal(C.PERI_ECLOSED, rig.ptr["end"].code)
  end)

  it("releases the pieces of a stream that is reset while the wire holds them", function()
    local peer = rig.raw(4096)
    peer.greet("\0\4\127\255\255\255")
    peer.send(frames.frame(frames.WINDOW_UPDATE, 0, 0, frames.u32(2000000000)))
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 3000000, 262144
    peer.request(1, "/bytes")
    assert.is_true(rig.until_true(function()
      return rig.ptr.ends == 1
    end))
    rig.step()
    C.peri_h2_stream_reset(rig.ptr.last, 8)
    rig.step()
    assert.equal(1, rig.ptr.closes)
    assert.is_true(rig.ptr.released < rig.ptr.borrowed)
    assert.is_true(peer.wait(frames.RST_STREAM, 1) ~= nil)
    assert.is_true(rig.until_true(function()
      return rig.ptr.released == rig.ptr.borrowed
    end))
  end)

  it("refuses a descriptor that is no socket, and closes it", function()
    local fd = ffi.C.dup(0)
    assert.is_true(C.peri_h2_server_adopt(rig.ptr.server, fd) < 0)
    assert.equal(-1, ffi.C.close(fd))
    assert.equal(0, rig.ptr.conn_closes)
  end)
end)
