local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local rpc = require("spec.support.rpc")
local C, ffi = cffi.load({ "rpc/client_shim.h", "rpc/client.h", "base/error.h" })

describe("a stream", function()
  local server, channel, probe, calls

  setup(function()
    server = etcd.start()
  end)

  teardown(function()
    if server then
      server:stop()
    end
  end)

  before_each(function()
    channel = assert(rpc.open(server.endpoints[1]:match("//(.*)")))
    probe, calls = rpc.probe(), {}
  end)

  after_each(function()
    for _, call in ipairs(calls) do
      C.rpc_probe_cancel(call)
    end
    assert.is_true(C.rpc_probe_free(probe, 10000))
    for _, call in ipairs(calls) do
      C.rpc_probe_call_free(call)
    end
    rpc.close_all()
  end)

  local function open(path, timeout_ms, metadata)
    local request, anchors = rpc.request(path, nil, timeout_ms, metadata)
    local call = C.rpc_probe_stream(probe, channel, request)
    calls[#calls + 1] = call
    assert(anchors)
    return call
  end

  local function send(call, message)
    return C.peri_rpc_stream_send(call.stream, cffi.slice(message))
  end

  it("carries messages both ways, in order", function()
    local call = open(rpc.watch)
    assert.equal(0, send(call, rpc.watch_all))
    assert.is_true(C.rpc_probe_wait(call, 1, 5000))
    for i = 1, 200 do
      -- PutRequest { key = "k", value = "iii" }
      local _, status = rpc.call(channel, "/etcdserverpb.KV/Put", ("\10\1k\18\3%03d"):format(i), 5000)
      assert.equal(0, status)
    end
    local last = ""
    for _ = 1, 200 do
      assert.is_true(C.rpc_probe_wait(call, call.messages + 1, 5000))
      last = ffi.string(call.last.ptr, call.last.len)
      if last:find("200", 1, true) then
        break
      end
    end
    assert.truthy(last:find("200", 1, true))
    assert.equal(1, call.opened)
    assert.equal(0, call.ended)
  end)

  it("ends after what was queued, when it is finished", function()
    local call = open("/etcdserverpb.Lease/LeaseKeepAlive")
    for id = 1, 100 do
      assert.equal(0, send(call, "\8" .. string.char(id)))
    end
    C.peri_rpc_stream_finish(call.stream)
    assert.equal(tonumber(C.PERI_ECLOSED), send(call, "\8\1"))
    assert.is_true(C.rpc_probe_wait(call, 0, 5000))
    assert.equal(100, call.messages)
    assert.equal(0, call.status)
    assert.equal(1, call.ended)
  end)

  it("tells how it failed", function()
    local call = open("/no.Such/Method")
    assert.is_true(C.rpc_probe_wait(call, 0, 5000))
    assert.equal(12, call.status)
    -- A server that lives may be first to say that the time is over, in its own words.
    server:freeze(1)
    local late = open(rpc.watch, 100)
    assert.is_true(C.rpc_probe_wait(late, 0, 5000))
    server:thaw(1)
    assert.equal(4, late.status)
    local wrong = open(rpc.watch, 0, { { "Upper", "x" } })
    assert.equal(tonumber(C.PERI_EINVAL), wrong.code)
  end)

  it("ends when the server dies", function()
    local call = open(rpc.watch)
    send(call, rpc.watch_all)
    assert.is_true(C.rpc_probe_wait(call, 1, 5000))
    server:kill(1)
    assert.is_true(C.rpc_probe_wait(call, 0, 5000))
    assert.equal(14, call.status)
    server:restart(1)
  end)

  it("takes messages only as long as they may wait", function()
    server:freeze(1)
    local call = open(rpc.watch)
    local code, sent = 0, 0
    local big = ("x"):rep(1048576)
    while code == 0 and sent < 10 do
      code = send(call, big)
      sent = sent + 1
    end
    server:thaw(1)
    assert.equal(tonumber(C.PERI_ELIMIT), code)
    assert.equal(5, sent)
  end)

  it("may be cancelled from within a message", function()
    local call = open(rpc.watch)
    call.cancel_after = 1
    send(call, rpc.watch_all)
    assert.is_true(C.rpc_probe_wait(call, 1, 5000))
    C.rpc_probe_step(probe, 100)
    assert.equal(0, call.ended)
    assert.equal(1, call.messages)
  end)
end)
