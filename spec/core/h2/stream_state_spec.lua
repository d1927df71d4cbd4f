local M = require("spec.core.h2.rig")
local C, frames = M.C, M.frames

describe("h2/stream_state", function()
  local rig
  before_each(function()
    rig = M.rig()
    rig.listen()
  end)
  after_each(function()
    rig.free()
  end)

  it("calls on_close once, after everything else", function()
    local call = rig.fetch("/echo", "abc")
    assert.equal(1, call.closes)
    assert.equal(1, call.ends)
    for _ = 1, 5 do
      rig.step()
    end
    assert.equal(1, call.closes)
  end)

  it("calls nothing but on_close after a reset", function()
    local call = rig.open("/echo", false)
    assert.is_true(rig.until_true(function()
      return call.heads == 1
    end))
    C.rig_call_lend(call, 5000, 1)
    C.peri_h2_stream_reset(call.stream, 8)
    assert.equal(0, call.closes)
    rig.wait(call)
    for _ = 1, 5 do
      rig.step()
    end
    assert.equal(0, tonumber(call.body.len))
    assert.equal(0, call.ends)
    assert.equal(1, rig.ptr.released)
  end)

  it("tells a lost connection from a whole answer", function()
    local call = rig.open("/hold")
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 1
    end))
    C.rig_server_free(rig.ptr)
    rig.wait(call)
    assert.equal(C.PERI_ECLOSED, call["end"].code)
    assert.equal(0, call["end"].h2_error)
    assert.is_false(call["end"].unprocessed)
    assert.is_false(call["end"].reset)
  end)

  it("never calls a server's peer unprocessed", function()
    local peer = rig.raw()
    peer.greet()
    peer.request(1, "/hold", nil, true)
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, "\0\0\0\7"))
    assert.is_true(rig.until_true(function()
      return rig.ptr.closes == 1
    end))
    assert.equal(C.PERI_EREFUSED, rig.ptr["end"].code)
    assert.is_false(rig.ptr["end"].unprocessed)
  end)
end)
