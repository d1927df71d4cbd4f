local uv = require("luv")
local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local frames = require("spec.support.frames")
local proc = require("spec.support.proc")
local rpc = require("spec.support.rpc")
local C, ffi = cffi.load({ "rpc/client_shim.h", "base/error.h" })

describe("calls that answer on a loop", function()
  local server, channel, probe

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
    probe = rpc.probe()
  end)

  after_each(function()
    assert.is_true(C.rpc_probe_free(probe, 10000))
    rpc.close_all()
  end)

  local function start(to, path, message, timeout_ms, metadata)
    local request, anchors = rpc.request(path, message, timeout_ms, metadata)
    local call = C.rpc_probe_unary(probe, to, request)
    assert(anchors)
    return call
  end

  it("bring back message or status, each once", function()
    local calls = {}
    for i = 1, 50 do
      calls[i] = start(channel, i % 2 == 0 and rpc.health or "/no.Such/Method", "", 5000)
    end
    for i, call in ipairs(calls) do
      assert.is_true(C.rpc_probe_wait(call, 0, 10000))
      assert.equal(i % 2 == 0 and 0 or 12, call.status)
      assert.equal(i % 2 == 0 and "\8\1" or "", ffi.string(call.last.ptr, call.last.len))
      assert.equal(1, call.ended)
      C.rpc_probe_call_free(call)
    end
  end)

  it("refuse metadata that is none, at once", function()
    local call = start(channel, rpc.health, "", 5000, { { "Upper", "x" } })
    assert.equal(tonumber(C.PERI_EINVAL), call.code)
    C.rpc_probe_step(probe, 50)
    assert.equal(0, call.ended)
    C.rpc_probe_call_free(call)
  end)

  it("keep their deadline towards a server that is frozen", function()
    server:freeze(1)
    local call = start(channel, rpc.health, "", 300)
    assert.is_true(C.rpc_probe_wait(call, 0, 5000 * proc.patience))
    server:thaw(1)
    assert.equal(4, call.status)
    C.rpc_probe_call_free(call)
  end)

  it("say nothing any more once cancelled", function()
    server:freeze(1)
    local call = start(channel, rpc.health, "", 0)
    C.rpc_probe_step(probe, 50)
    C.rpc_probe_cancel(call)
    server:thaw(1)
    C.rpc_probe_step(probe, 200)
    assert.equal(0, call.ended)
    C.rpc_probe_call_free(call)
  end)

  it("find the server again when it comes back", function()
    server:kill(1)
    local call = start(channel, rpc.health, "", 5000)
    assert.is_true(C.rpc_probe_wait(call, 0, 5000))
    assert.equal(14, call.status)
    C.rpc_probe_call_free(call)
    server:restart(1)
    local status
    proc.await("the server to answer", 5000, function()
      local again = start(channel, rpc.health, "", 1000)
      assert.is_true(C.rpc_probe_wait(again, 0, 5000 * proc.patience))
      status = again.status
      C.rpc_probe_call_free(again)
      return status == 0
    end)
    assert.equal(0, status)
  end)

  it("do not take OK for an answer when no message comes with it", function()
    local listener, peer = uv.new_tcp(), uv.new_tcp()
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen(8, function()
      listener:accept(peer)
      peer:write(frames.frame(frames.SETTINGS, 0, 0, ""))
      peer:read_start(function(_, bytes)
        if bytes and bytes:find("/grpc.health", 1, true) then
          local fields = frames.block({ { ":status", "200" }, { "content-type", "application/grpc" }, { "grpc-status", "0" } })
          peer:write(frames.frame(frames.SETTINGS, frames.ACK, 0, "")
            .. frames.frame(frames.HEADERS, frames.END_HEADERS + frames.END_STREAM, 1, fields))
        end
      end)
    end))
    local to = assert(rpc.open("127.0.0.1:" .. listener:getsockname().port))
    local call = start(to, rpc.health, "", 5000 * proc.patience)
    proc.await("the end", 5000, function()
      C.rpc_probe_step(probe, 5)
      uv.run("nowait")
      return call.ended == 1
    end)
    assert.equal(13, call.status)
    C.rpc_probe_call_free(call)
    peer:close()
    listener:close()
  end)
end)
