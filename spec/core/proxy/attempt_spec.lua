local M = require("spec.core.proxy.rig")
local C, ffi, frames = M.C, M.ffi, M.frames

local labels = 'service="orders.v1.Orders",code="UNAVAILABLE"'

describe("proxy/attempt", function()
  local rig
  after_each(function()
    rig.free()
  end)

  local function publish(...)
    rig.publish("orders.v1.Orders " .. table.concat({ ... }, ","))
  end

  local function retries(reason)
    return rig.metric("perigee_proxy_retries_total", 'reason="' .. reason .. '"')
  end

  it("goes to the next endpoint at once when one cannot be connected to", function()
    rig = M.rig({ without_host = true })
    local backend, address = rig.backend(0)
    publish(rig.dead(), rig.dead(), address)
    for _ = 1, 6 do
      local call = rig.fetch("Echo", nil, "hello")
      assert.equal(0, rig.status(call))
      assert.equal("hello", rig.text(call.body))
    end
    assert.equal(6, backend.requests)
    assert.is_true(retries("connect") > 0)
  end)

  it("says which endpoint failed last, and why, when all did", function()
    rig = M.rig()
    local dead = { rig.dead(), rig.dead() }
    table.sort(dead)
    publish(dead[1], dead[2])
    local call = rig.fetch("Echo", nil, "hello")
    local status, message = rig.status(call)
    assert.equal(14, status)
    assert.equal("orders.v1.Orders: " .. dead[2] .. ": could not connect: Connection refused", message)
    assert.equal(2, rig.ptr.policy.picks)
    assert.equal(2, rig.ptr.policy.dones)
    assert.is_true(rig.ptr.policy.outcome.failed)
    assert.equal(1, rig.metric("perigee_proxy_calls_total", labels))
  end)

  it("tries each endpoint once, however many there are", function()
    rig = M.rig()
    local all = {}
    for i = 1, 9 do
      all[i] = rig.dead()
    end
    publish(unpack(all))
    local status = rig.status(rig.fetch("Echo", nil, "hello"))
    assert.equal(14, status)
    assert.equal(9, rig.ptr.policy.picks)
    assert.equal(1, rig.ptr.policy.open_count)
    assert.equal(9, rig.ptr.policy.attempt)
    assert.equal(8, retries("connect"))
  end)

  it("tries a refused stream elsewhere, with its body and its end", function()
    rig = M.rig({ without_host = true })
    local first, a = rig.backend(0)
    local second, b = rig.backend(1)
    first.h2_error, second.h2_error = 7, 7
    publish(a, b)
    local status, message = rig.status(rig.fetch("Refuse", nil, "hello"))
    assert.equal(14, status)
    assert.matches("reset the stream with HTTP/2 error 7", message)
    assert.equal(1, first.requests)
    assert.equal(1, second.requests)
    assert.equal(1, retries("refused"))
  end)

  it("replays a body that is still coming", function()
    rig = M.rig()
    local mute = rig.mute()
    local backend, address = rig.backend(0)
    publish(mute.address, address)
    rig.ptr.policy.pick = mute.address < address and 0 or 1
    local call = rig.open("Echo", nil, false)
    local body = ("0123456789"):rep(1000)
    rig.write(call, body)
    local peer = mute.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    peer.wait(frames.DATA, 1)
    rig.write(call, body)
    rig.settle()
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, frames.u32(7)))
    rig.until_true(function()
      return call.body.len == #body * 2
    end)
    rig.write(call, "end")
    rig.finish(call)
    rig.wait(call)
    assert.equal(body .. body .. "end", rig.text(call.body))
    assert.equal(1, backend.requests)
    mute.close()
  end)

  it("replays no more than 64 KiB", function()
    rig = M.rig()
    local mute = rig.mute()
    local backend, address = rig.backend(0)
    publish(mute.address, address)
    rig.ptr.policy.pick = mute.address < address and 0 or 1
    local call = rig.open("Echo", nil, false)
    C.proxy_call_flood(call, 70000)
    local peer = mute.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    peer.wait(frames.DATA, 1)
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, frames.u32(7)))
    rig.wait(call)
    assert.equal(14, (rig.status(call)))
    assert.equal(0, backend.requests)
    mute.close()
  end)

  it("keeps the caller's window exact over attempts", function()
    rig = M.rig({ limits = { stream_window_bytes = 20000 } })
    local mute = rig.mute()
    local backend, address = rig.backend(0, nil, { stream_window_bytes = 1000 })
    publish(address)
    -- The limits are known from then on.
    rig.fetch("Echo", nil, "x")
    publish(mute.address, address)
    rig.ptr.policy.pick = mute.address < address and 0 or 1
    local call = rig.open("Sink", nil, false)
    C.proxy_call_flood(call, 200000)
    local peer = mute.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, "\0\4" .. frames.u32(5000)))
    peer.wait(frames.DATA, 1)
    rig.settle()
    peer.send(frames.frame(frames.RST_STREAM, 0, 1, frames.u32(7)))
    backend.hungry = false
    rig.until_true(function()
      return backend.requests == 2
    end)
    rig.settle()
    rig.settle()
    assert.equal(1001, tonumber(backend.received))
    -- What the first one took, and a window; nothing more was let through.
    local pending = tonumber(C.peri_h2_stream_pending(call.stream))
    local took = 0
    for _, frame in ipairs(frames.parse(peer.got:sub(#frames.preface + 1))) do
      took = took + (frame.kind == frames.DATA and #frame.payload or 0)
    end
    assert.is_true(took > 0)
    assert.is_true(200000 - pending <= took + 20000)
    C.proxy_call_reset(call, 8)
    rig.wait(call)
    mute.close()
  end)

  it("asks the only endpoint again over another connection after a GOAWAY", function()
    rig = M.rig()
    local mute = rig.mute()
    publish(mute.address)
    local call = rig.open("Echo", nil, "hello")
    local peer = mute.accept()
    peer.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    peer.wait(frames.HEADERS, 1)
    peer.send(frames.frame(frames.GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0"))
    local other = mute.accept()
    other.send(frames.frame(frames.SETTINGS, 0, 0, ""))
    other.wait(frames.HEADERS, 1)
    assert.equal(1, retries("goaway"))
    -- Once more is enough.
    other.send(frames.frame(frames.GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0"))
    rig.wait(call)
    assert.equal(14, (rig.status(call)))
    mute.close()
  end)

  it("finishes what was processed before a GOAWAY", function()
    rig = M.rig()
    local first, a = rig.backend(0)
    local second, b = rig.backend(1)
    rig.ptr.policy.pick = a < b and 0 or 1
    publish(a, b)
    local call = rig.open("Echo", nil, false)
    rig.write(call, "a")
    assert.is_true(rig.until_true(function()
      return call.body.len == 1
    end))
    C.proxy_backend_drain(rig.ptr, 0)
    rig.settle()
    rig.ptr.policy.pick = a < b and 1 or 0
    assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
    rig.write(call, "b")
    rig.finish(call)
    rig.wait(call)
    assert.equal("ab", rig.text(call.body))
    assert.equal(0, (rig.status(call)))
    assert.equal(1, first.accepted)
    assert.equal(1, second.requests)
  end)

  it("does not repeat what an endpoint may have processed", function()
    rig = M.rig({ without_host = true })
    local first, a = rig.backend(0)
    local second, b = rig.backend(1)
    publish(a, b)
    local expected = { [0] = 13, [2] = 13, [8] = 1, [11] = 8, [12] = 7 }
    for code, status in pairs(expected) do
      first.h2_error, second.h2_error = code, code
      local before = first.requests + second.requests
      assert.equal(status, (rig.status(rig.fetch("Refuse", nil, "hello"))))
      assert.equal(before + 1, first.requests + second.requests)
    end
  end)

  it("answers at once when a connection is lost before the headers", function()
    rig = M.rig()
    local backend, address = rig.backend(0)
    publish(address)
    local call = rig.open("Hold", nil, "x")
    rig.until_true(function()
      return backend.ends == 1
    end)
    C.proxy_backend_stop(rig.ptr, 0)
    rig.wait(call)
    assert.equal(14, (rig.status(call)))
  end)

  it("stops at the deadline", function()
    rig = M.rig()
    local mute = rig.mute()
    publish(mute.address)
    local call = rig.fetch("Echo", { { "grpc-timeout", "50m" } }, "x")
    assert.equal(4, (rig.status(call)))
    mute.close()
  end)

  it("tells the balancer and the loads how calls went", function()
    rig = M.rig()
    local backend, address = rig.backend(0)
    publish(address)
    local policy = rig.ptr.policy
    local call = rig.open("Hold", nil, "hello")
    rig.until_true(function()
      return backend.ends == 1
    end)
    assert.equal(0, policy.inflight)
    local other = rig.open("Hold", nil, "hello")
    rig.until_true(function()
      return backend.ends == 2
    end)
    assert.equal(1, policy.inflight)
    C.proxy_call_reset(call, 8)
    C.proxy_call_reset(other, 8)
    rig.until_true(function()
      return policy.dones == 2
    end)
    assert.is_false(policy.outcome.failed)
    assert.equal(1, policy.outcome.status)
    backend.trailers = rig.text_for("grpc-status: 13\n")
    rig.fetch("Echo", nil, "hello")
    assert.equal(0, policy.inflight)
    assert.equal(3, policy.dones)
    assert.equal(13, policy.outcome.status)
    assert.is_false(policy.outcome.failed)
    assert.equal(5, tonumber(policy.outcome.bytes))
    assert.is_true(policy.outcome.latency_ns > 0)
    assert.equal(address, ffi.string(policy.address))
  end)
end)
