local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

describe("proxy/exchange", function()
  local rig, backend, address
  local function start(options)
    rig = M.rig(options)
    backend, address = rig.backend(0, nil, options and options.backend_limits)
    rig.publish("orders.v1.Orders " .. address)
  end
  after_each(function()
    rig.free()
  end)

  it("carries a unary call", function()
    start()
    local call = rig.fetch("Echo", nil, "hello")
    assert.equal("hello", rig.text(call.body))
    assert.equal(0, rig.status(call))
    assert.equal(0, call["end"].code)
    assert.equal(0, rig.in_flight())
    assert.equal(1, rig.metric("perigee_proxy_calls_total", 'service="orders.v1.Orders",code="OK"'))
    assert.equal(0, rig.metric("perigee_proxy_inflight"))
  end)

  it("carries a stream both ways, message by message", function()
    start()
    local call = rig.open("Echo", nil, false)
    for i = 1, 20 do
      rig.write(call, ("m%02d"):format(i))
      assert.is_true(rig.until_true(function()
        return call.body.len == 3 * i
      end))
    end
    assert.equal(1, rig.in_flight())
    assert.equal(1, rig.metric("perigee_proxy_inflight"))
    rig.finish(call)
    rig.wait(call)
    assert.equal(0, rig.status(call))
  end)

  it("passes trailers of the request on", function()
    start()
    local call = rig.open("Echo", nil, false)
    rig.write(call, "x")
    rig.finish(call, "x-sum: 1\n")
    rig.wait(call)
    assert.equal("x-sum: 1\n", rig.text(backend.trailing))
  end)

  it("passes an answer of trailers only on as it is", function()
    start()
    backend.trailers = rig.text_for(":status: 200\ncontent-type: application/grpc\ngrpc-status: 5\ngrpc-message: no\n")
    local call = rig.fetch("Only", nil, "x")
    assert.equal(backend.trailers and ffi.string(backend.trailers), rig.head(call))
    assert.is_true(call.head_end)
    assert.equal(5, rig.status(call))
    assert.equal(1, rig.metric("perigee_proxy_calls_total", 'service="orders.v1.Orders",code="NOT_FOUND"'))
  end)

  it("ends a call that is answered before its request is over", function()
    start()
    local call = rig.open("Bare", nil, false)
    rig.wait(call)
    assert.equal(0, rig.status(call))
    assert.is_true(rig.until_true(function()
      return backend.closes == 1
    end))
    assert.equal(0, rig.in_flight())
  end)

  it("passes a reset of the caller on, with its code", function()
    start()
    for _, code in ipairs({ 8, 2, 11 }) do
      local before = backend.closes
      local call = rig.open("Headed", nil, false)
      assert.is_true(rig.until_true(function()
        return call.heads == 1
      end))
      C.proxy_call_reset(call, code)
      assert.is_true(rig.until_true(function()
        return backend.closes == before + 1
      end))
      assert.equal(code, backend["end"].h2_error)
    end
    assert.equal(0, rig.in_flight())
    assert.equal(3, rig.metric("perigee_proxy_calls_total", 'service="orders.v1.Orders",code="CANCELLED"'))
  end)

  it("cancels what a caller whose connection is lost had begun", function()
    start()
    rig.open("Hold", nil, "x")
    assert.is_true(rig.until_true(function()
      return backend.ends == 1
    end))
    C.proxy_rig_hang_up(rig.ptr)
    assert.is_true(rig.until_true(function()
      return backend.closes == 1
    end))
    assert.equal(8, backend["end"].h2_error)
    assert.equal(0, rig.in_flight())
  end)

  it("passes a reset after the headers on, with its code", function()
    start()
    for _, code in ipairs({ 8, 2, 11, 7, 0 }) do
      local call = rig.open("Break", nil, "x")
      assert.is_true(rig.until_true(function()
        return call.body.len == 10
      end))
      C.proxy_backend_reset(rig.ptr, 0, code)
      rig.wait(call)
      assert.equal(code, call["end"].h2_error)
    end
    assert.equal(0, rig.in_flight())
  end)

  it("passes on what came before a reset, as far as the caller's window goes", function()
    start({ caller_limits = { stream_window_bytes = 65535 } })
    local call = rig.open("Break", nil, "x")
    assert.is_true(rig.until_true(function()
      return backend.ends == 1
    end))
    -- The proxy finds the answer and its reset in one read.
    C.proxy_backend_reset(rig.ptr, 0, 2)
    rig.wait(call)
    assert.same({ 10, 2 }, { tonumber(call.body.len), call["end"].h2_error })

    call = rig.open("Echo", nil, false)
    call.hungry = false
    rig.write(call, ("x"):rep(100000))
    assert.is_true(rig.until_true(function()
      return backend.received == 100001 and call.body.len == 65535
    end))
    C.proxy_backend_reset(rig.ptr, 0, 2)
    rig.wait(call)
    assert.same({ 65535, 2 }, { tonumber(call.body.len), call["end"].h2_error })
    assert.equal(0, rig.in_flight())
  end)

  it("says in words that trailers are over the limit", function()
    start({ limits = { header_list_bytes = 1024 } })
    backend.trailers = rig.text_for("grpc-status: 0\nx-long: " .. ("x"):rep(1000) .. "\n")
    local call = rig.fetch("Echo", nil, "x")
    assert.same({ 8, "orders.v1.Orders: the header list is larger than limits.header_list_bytes" }, { rig.status(call) })
    assert.equal("x", rig.text(call.body))
  end)

  it("ends with UNAVAILABLE when the connection is lost after the headers", function()
    start()
    local call = rig.open("Break", nil, "x")
    assert.is_true(rig.until_true(function()
      return call.body.len == 10
    end))
    C.proxy_backend_stop(rig.ptr, 0)
    rig.wait(call)
    local status, message = rig.status(call)
    assert.equal(14, status)
    assert.matches("connection was lost", message)
    assert.equal(10, tonumber(call.body.len))
  end)

  it("answers DEADLINE_EXCEEDED and cancels, before and after the headers", function()
    start()
    for i, method in ipairs({ "Hold", "Headed" }) do
      local call = rig.fetch(method, { { "grpc-timeout", "400m" } }, "x")
      local status, message = rig.status(call)
      assert.equal(4, status)
      assert.matches("deadline", message)
      assert.is_true(rig.until_true(function()
        return backend.closes == i
      end))
      assert.equal(8, backend["end"].h2_error)
    end
  end)

  it("keeps deadlines apart that come in any order", function()
    start()
    local waits = { 90, 30, 150, 60, 120, 30, 90 }
    local calls = {}
    for i, wait in ipairs(waits) do
      calls[i] = rig.open("Hold", { { "grpc-timeout", wait .. "m" } }, "x")
    end
    local gone = rig.open("Hold", { { "grpc-timeout", "45m" } }, "x")
    rig.step(1)
    C.proxy_call_reset(gone, 8)
    assert.is_true(rig.until_true(function()
      local latest, all = 0, true
      for i, call in ipairs(calls) do
        latest = call.closes > 0 and math.max(latest, waits[i]) or latest
        all = all and call.closes > 0
      end
      for i, call in ipairs(calls) do
        assert.is_true(call.closes > 0 or waits[i] >= latest)
      end
      return all
    end))
    for _, call in ipairs(calls) do
      assert.equal(4, (rig.status(call)))
    end
  end)

  it("holds no more of a request than its window while the endpoint does not read", function()
    start({ limits = { stream_window_bytes = 65535 }, backend_limits = { stream_window_bytes = 65535 } })
    backend.hungry = false
    local call = rig.open("Sink", nil, false)
    C.proxy_call_flood(call, 1000000)
    rig.settle()
    rig.settle()
    -- A window at the backend, and one at the proxy.
    assert.equal(65535, tonumber(backend.received))
    assert.equal(1000000 - 2 * 65535, tonumber(C.peri_h2_stream_pending(call.stream)))
    rig.finish(call)
    assert.is_true(rig.until_true(function()
      C.proxy_backend_feed(rig.ptr, 0, 65535)
      return backend.ends == 1
    end))
    assert.equal(1000000, tonumber(backend.received))
    rig.wait(call)
    assert.equal(0, rig.status(call))
  end)

  it("holds no more of an answer than its window while the caller does not read", function()
    start({ limits = { stream_window_bytes = 65535 }, caller_limits = { stream_window_bytes = 65535 } })
    backend.source_bytes = 1000000
    local call = rig.open("Source", nil, "x")
    call.hungry = false
    rig.settle()
    rig.settle()
    assert.equal(65535, tonumber(call.body.len))
    assert.equal(1000000 - 2 * 65535, tonumber(C.peri_h2_stream_pending(backend.last) + backend.source_bytes))
    -- Others on the same connections go on meanwhile.
    assert.equal(0, rig.status(rig.fetch("Echo", nil, ("x"):rep(200000))))
    assert.is_true(rig.until_true(function()
      C.proxy_call_consume(call, 65535)
      return call.closes == 1
    end))
    assert.equal(1000000, tonumber(call.body.len))
    assert.equal(0, rig.status(call))
  end)

  it("carries messages larger than any buffer through windows of one byte and more", function()
    start({ limits = { stream_window_bytes = 1 }, backend_limits = { stream_window_bytes = 1 } })
    local body = ("0123456789"):rep(30)
    local call = rig.fetch("Echo", nil, body)
    assert.equal(body, rig.text(call.body))
    rig.free()
    start()
    body = ("0123456789"):rep(500000)
    call = rig.fetch("Echo", nil, body)
    assert.equal(0, call["end"].code)
    assert.is_true(body == rig.text(call.body))
  end)
end)
