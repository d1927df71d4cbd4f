local M = require("spec.core.h2.rig")
local frames = M.frames

describe("h2/hub", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("buries every connection, with its streams, when the server goes", function()
    rig = M.rig()
    local peers = {}
    for i = 1, 20 do
      peers[i] = rig.raw()
      peers[i].greet()
      peers[i].request(1, "/hold", nil, true)
      peers[i].request(3, "/hold", nil, true)
    end
    assert.is_true(rig.until_true(function()
      return rig.ptr.requests == 40
    end))
    assert.equal(20, rig.metric("perigee_h2_connections", 'listener="app"'))
    M.C.rig_server_free(rig.ptr)
    assert.equal(40, rig.ptr.closes)
    assert.equal(20, rig.ptr.conn_closes)
    assert.equal(0, rig.metric("perigee_h2_connections", 'listener="app"'))
    for i = 1, 20 do
      assert.is_true(peers[i].wait_closed())
    end
  end)

  it("uses the memory of streams again", function()
    rig = M.rig({ server = { resets_per_s = 100000 } })
    local peer = rig.raw()
    peer.greet()
    local seen, kinds = {}, 0
    for i = 1, 50 do
      peer.request(2 * i - 1, "/hold", nil, true)
      assert.is_true(rig.until_true(function()
        return rig.ptr.last ~= nil
      end))
      local at = tonumber(M.ffi.cast("uintptr_t", rig.ptr.last))
      kinds = kinds + (seen[at] and 0 or 1)
      seen[at] = true
      peer.send(frames.frame(frames.RST_STREAM, 0, 2 * i - 1, "\0\0\0\8"))
      assert.is_true(rig.until_true(function()
        return rig.ptr.closes == i
      end))
    end
    assert.equal(1, kinds)
  end)

  it("lets the loop sleep when there is no connection", function()
    rig = M.rig()
    assert.is_false(M.C.peri_loop_step(rig.ptr.loop, 0))
    local peer = rig.raw()
    assert.is_true(M.C.peri_loop_step(rig.ptr.loop, 0))
    peer.close()
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
    assert.is_true(rig.until_true(function()
      return not M.C.peri_loop_step(rig.ptr.loop, 0)
    end))
  end)
end)
