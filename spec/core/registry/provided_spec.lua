local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local support = require("spec.core.registry.registry_support")
local C, ffi = cffi.load({ "base/error.h", "registry/registry_shim.h" })

describe("a registration that waits", function()
  local cluster, registry

  setup(function()
    cluster = etcd.start({ fast = true })
  end)

  teardown(function()
    cluster:stop()
  end)

  before_each(function()
    registry = assert(support.start(support.tree(cluster.endpoints, "127.0.0.1:7402")))
    registry:enter()
  end)

  after_each(function()
    cluster:thaw()
    assert.is_true(registry:free())
  end)

  it("is told before 2 s are over why it still waits", function()
    local code, outcome = registry:register({ service = "dead", address = "127.0.0.1:" .. proc.free_port() })
    assert.equal(0, code)
    registry:await("an answer", function()
      return outcome.count == 1
    end, 4000)
    assert.equal(tonumber(C.PERI_ETIMEOUT), outcome.error)
    assert.truthy(ffi.string(outcome.words):find("unhealthy", 1, true), ffi.string(outcome.words))
    assert.equal("out", registry:status().own.dead.state)
  end)

  it("is told when another one takes its place, or when all of it ends", function()
    local address = "127.0.0.1:" .. proc.free_port()
    local _, first = registry:register({ service = "dead", address = address })
    local _, second = registry:register({ service = "dead", address = address })
    assert.equal(1, first.count)
    assert.equal(tonumber(C.PERI_ECANCELED), first.error)
    local _, gone = registry:deregister("dead")
    assert.equal(1, second.count)
    assert.equal(tonumber(C.PERI_ECANCELED), second.error)
    registry:await("the end of it", function()
      return gone.count == 1
    end)
  end)

  it("is told at once when it is there already", function()
    local fields = { service = "x", address = "127.0.0.1:1", health = "none" }
    local _, first = registry:register(fields)
    registry:await("an answer", function()
      return first.count == 1
    end)
    local _, second = registry:register(fields)
    assert.equal(0, second.count)
    registry:await("an answer", function()
      return second.count == 1
    end, 500)
    assert.same({ 0, 0 }, { first.error, second.error })
  end)
end)
