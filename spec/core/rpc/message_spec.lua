local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local rpc = require("spec.support.rpc")
local C = cffi.load({ "base/error.h" })

describe("what a call sends", function()
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

  it("has metadata, and refuses what is none", function()
    local code, status = rpc.call(channel, rpc.health, "", 5000, { { "x-note", "plain" }, { "x-note-bin", "\0\255" } })
    assert.same({ 0, 0 }, { code, status })
    for _, field in ipairs({ { "Upper", "x" }, { "with space", "x" }, { "x", "a\nb" }, { "", "x" } }) do
      assert.equal(tonumber(C.PERI_EINVAL), (rpc.call(channel, rpc.health, "", 5000, { field })), field[1])
    end
    local many = {}
    for i = 1, 33 do
      many[i] = { "x-" .. i, "v" }
    end
    assert.equal(tonumber(C.PERI_EINVAL), (rpc.call(channel, rpc.health, "", 5000, many)))
  end)

  it("comes back as it went, however long", function()
    local value = ("\0\1\255x"):rep(100000)
    -- PutRequest { key = "k", value } and RangeRequest { key = "k" }; 400,000 as a varint.
    local _, put = rpc.call(channel, "/etcdserverpb.KV/Put", "\10\1k\18\128\181\24" .. value, 5000)
    assert.equal(0, put)
    local _, status, bytes = rpc.call(channel, "/etcdserverpb.KV/Range", "\10\1k", 5000)
    assert.equal(0, status)
    assert.truthy(bytes:find(value, 1, true))
  end)
end)
