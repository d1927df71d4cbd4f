local etcd = require("spec.support.etcd")
local rpc = require("spec.support.rpc")

describe("a unary exchange", function()
  local server, channel

  setup(function()
    server = etcd.start()
    channel = assert(rpc.open(server.endpoints[1]:match("//(.*)")))
  end)

  teardown(function()
    rpc.close_all()
    if server then
      server:stop()
    end
  end)

  it("ends with the message", function()
    local code, status, bytes, text = rpc.call(channel, rpc.health, "", 5000)
    assert.same({ 0, 0, "\8\1", "" }, { code, status, bytes, text })
  end)

  it("ends with a status and its words, without a message", function()
    -- LeaseRevokeRequest { ID = 1 }, a lease that is not there.
    local code, status, bytes, text = rpc.call(channel, "/etcdserverpb.Lease/LeaseRevoke", "\8\1", 5000)
    assert.same({ 0, 5, "" }, { code, status, bytes })
    assert.equal("etcdserver: requested lease not found", text)
  end)
end)
