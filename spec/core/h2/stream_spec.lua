local M = require("spec.core.h2.rig")
local C, ffi, frames = M.C, M.ffi, M.frames

describe("h2/stream", function()
  local rig
  local function start(options)
    rig = M.rig(options)
    rig.listen()
  end
  after_each(function()
    rig.free()
  end)

  it("gives every borrowed piece back exactly once", function()
    start()
    for _, size in ipairs({ 1, 700, 1023, 1024, 5000, 262144 }) do
      rig.ptr.reply_bytes, rig.ptr.piece_bytes = 600000, size > 700 and size or 20000
      local call = rig.fetch("/bytes")
      assert.equal(600000, tonumber(call.body.len))
      assert.equal(0, call["end"].code)
    end
    assert.is_true(rig.until_true(function()
      return rig.ptr.released == rig.ptr.borrowed
    end))
  end)

  it("sends copies of any size", function()
    start()
    for _, size in ipairs({ 3, 200, 257, 100000 }) do
      rig.ptr.reply_bytes, rig.ptr.piece_bytes = size * 3, size
      assert.equal(size * 3, tonumber(rig.fetch("/copies").body.len))
    end
  end)

  it("gives pieces back when the stream is reset midway", function()
    start({ client = { stream_window_bytes = 20000 } })
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 300000, 50000
    local call = rig.open("/bytes", "")
    call.hungry = false
    assert.is_true(rig.until_true(function()
      return call.body.len == 20000
    end))
    C.peri_h2_stream_reset(call.stream, 8)
    rig.wait(call)
    assert.equal(C.PERI_ECANCELED, call["end"].code)
    assert.equal(8, call["end"].h2_error)
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 1
    end))
    assert.equal(C.PERI_ECANCELED, rig.ptr["end"].code)
    assert.equal(6, rig.ptr.borrowed)
    assert.equal(6, rig.ptr.released)
  end)

  it("gives pieces back at once when they cannot be sent", function()
    start()
    local call = rig.open("/echo", "")
    assert.equal(C.PERI_ECLOSED, C.rig_call_lend(call, 10, 2))
    assert.equal(2, rig.ptr.released)
    rig.wait(call)
  end)

  it("says when it is full, and again when it is writable", function()
    start({ server = { stream_buffer_bytes = 40000 }, client = { stream_window_bytes = 10000 } })
    rig.ptr.reply_bytes, rig.ptr.piece_bytes = 1000000, 10000
    local call = rig.fetch("/stream")
    assert.equal(1000000, tonumber(call.body.len))
    assert.is_true(rig.ptr.busies > 10)
    assert.is_true(rig.ptr.writables >= rig.ptr.busies)
    assert.equal(rig.ptr.borrowed, rig.ptr.released)
  end)

  it("holds the sender back while nobody consumes", function()
    start({ server = { stream_window_bytes = 1000, conn_window_bytes = 5000 } })
    rig.ptr.hungry = false
    local call = rig.open("/hold", false)
    C.rig_call_lend(call, 3000, 1)
    for _ = 1, 20 do
      rig.step()
    end
    -- What is sent before the peer's SETTINGS came may use the protocol's first window.
    local first = tonumber(rig.ptr.received)
    local pending = tonumber(C.peri_h2_stream_pending(call.stream))
    assert.equal(3000, first + pending)
    C.rig_call_lend(call, 100000, 1)
    for _ = 1, 20 do
      rig.step()
    end
    local stuck = tonumber(rig.ptr.received)
    assert.is_true(stuck <= 66000)
    C.peri_h2_stream_consume(rig.ptr.last, stuck)
    assert.is_true(rig.until_true(function()
      return tonumber(rig.ptr.received) > stuck
    end))
    C.peri_h2_stream_reset(call.stream, 8)
    rig.wait(call)
  end)

  it("answers before the request has ended, and refuses the rest of it", function()
    start()
    local call = rig.open("/early", false)
    rig.wait(call)
    assert.equal(0, call["end"].code)
    assert.is_true(call.head_end)
    assert.equal(1, call.ends)
    assert.is_true(rig.text(call.head):find("grpc-status: 0", 1, true) ~= nil)
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 1
    end))
    assert.equal(0, rig.ptr["end"].code)
  end)

  it("ends without trailers by END_STREAM alone", function()
    start()
    local call = rig.fetch("/bare")
    assert.equal(0, call["end"].code)
    assert.equal(0, tonumber(call.body.len))
    assert.equal("", rig.text(call.trailers))
  end)

  it("maps the peer's resets", function()
    start()
    local expected = {
      [0] = C.PERI_ECLOSED,
      [2] = C.PERI_EPROTO,
      [7] = C.PERI_EREFUSED,
      [8] = C.PERI_ECANCELED,
      [11] = C.PERI_ELIMIT,
    }
    for h2_error, code in pairs(expected) do
      rig.ptr.reset_error = h2_error
      local call = rig.fetch("/reset")
      assert.equal(code, call["end"].code)
      assert.equal(h2_error, call["end"].h2_error)
      assert.equal(h2_error == 7, call["end"].unprocessed)
      assert.is_true(call["end"].reset)
    end
  end)

  it("keeps more header fields than fit its first room", function()
    start()
    local peer = rig.raw()
    local extra = {}
    for i = 1, 60 do
      extra[i] = { "x-" .. i, tostring(i) }
    end
    peer.greet()
    peer.request(1, "/fields", extra)
    local data = peer.wait(frames.DATA, 1)
    assert.equal(66, data.payload:byte())
  end)

  it("drops the unconsumed part of a dead stream from the connection's window", function()
    start({ server = { stream_window_bytes = 60000, conn_window_bytes = 65535 } })
    rig.ptr.hungry = false
    for _ = 1, 5 do
      local call = rig.open("/hold", false)
      local before = tonumber(rig.ptr.received)
      C.rig_call_lend(call, 50000, 1)
      assert.is_true(rig.until_true(function()
        return tonumber(rig.ptr.received) == before + 50000
      end))
      C.peri_h2_stream_reset(call.stream, 8)
      rig.wait(call)
    end
  end)

  it("refuses what a closed stream cannot do", function()
    start()
    local call = rig.open("/hold", false)
    assert.is_true(rig.until_true(function()
      return rig.ptr.last ~= nil
    end))
    local stream = rig.ptr.last
    assert.equal(C.PERI_EINVAL, C.peri_h2_stream_finish(stream, nil, 0))
    C.peri_h2_stream_reset(stream, 8)
    assert.equal(C.PERI_ECLOSED, C.peri_h2_stream_finish(stream, nil, 0))
    assert.equal(C.PERI_ECLOSED, C.peri_h2_stream_respond(stream, nil, 0, false))
    C.peri_h2_stream_consume(stream, 1)
    C.peri_h2_stream_reset(stream, 8)
    assert.is_true(C.peri_h2_stream_loop(stream) == rig.ptr.loop)
    rig.wait(call)
    assert.is_true(rig.ptr.last == ffi.NULL)
  end)

  it("knows the header list that the peer takes", function()
    rig = M.rig({ client = { header_list_bytes = 4321 } })
    rig.listen()
    rig.open("/hold", false)
    assert.is_true(rig.until_true(function()
      return rig.ptr.last ~= nil
    end))
    assert.equal(4321, tonumber(C.peri_h2_stream_list_bytes(rig.ptr.last)))
  end)
end)
