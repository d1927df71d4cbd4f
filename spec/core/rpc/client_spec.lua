local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local rpc = require("spec.support.rpc")
local C = cffi.load({ "rpc/client_shim.h", "rpc/client.h" })

describe("a client", function()
  it("ends at once when nothing is under way", function()
    for _ = 1, 20 do
      assert.is_true(C.rpc_probe_free(rpc.probe(), 5000 * proc.patience))
    end
  end)

  it("ends with calls and streams under way, which then say nothing", function()
    local server = etcd.start()
    local channel = assert(rpc.open(server.endpoints[1]:match("//(.*)")))
    local probe, calls = rpc.probe(), {}
    server:freeze(1)
    for i = 1, 20 do
      local path = i % 2 == 0 and rpc.watch or rpc.health
      local request, anchors = rpc.request(path)
      calls[i] = (i % 2 == 0 and C.rpc_probe_stream or C.rpc_probe_unary)(probe, channel, request)
      assert.equal(0, calls[i].code)
      assert(anchors)
    end
    C.rpc_probe_step(probe, 50)
    assert.is_true(C.rpc_probe_free(probe, 5000 * proc.patience))
    for _, call in ipairs(calls) do
      assert.equal(0, call.ended)
      C.rpc_probe_call_free(call)
    end
    server:stop()
    rpc.close_all()
  end)
end)
