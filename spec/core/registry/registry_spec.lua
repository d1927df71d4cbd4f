local cffi = require("spec.support.ffi")
local support = require("spec.core.registry.registry_support")
local C = cffi.load({ "base/error.h" })

describe("a registry of kind static", function()
  local registry

  before_each(function()
    registry = support.start({
      cluster = "c",
      listen = { mesh = "127.0.0.1:7402" },
      registry = { kind = "static", services = { c = { { address = "10.0.0.1:1" } }, orders = {} } },
    })
  end)

  after_each(function()
    if registry then
      assert.is_true(registry:free())
    end
  end)

  it("publishes at once, and says what it is", function()
    assert.equal(1, registry:published())
    local status = registry:status()
    assert.same({ "static", "static", 0 }, { status.kind, status.state, status.lease })
    assert.same({ state = "live", endpoints = 1, suspects = 0, invalid = 0, revision = 0 }, status.services.c)
  end)

  it("registers nothing, and says so", function()
    local code, outcome, words = registry:register({ service = "a", address = "127.0.0.1:1" })
    assert.equal(tonumber(C.PERI_EUNSUPPORTED), code)
    assert.equal(0, outcome.count)
    assert.truthy(words:find("static", 1, true))
    assert.equal(tonumber(C.PERI_EUNSUPPORTED), (registry:deregister("a")))
  end)

  it("takes another configuration, but not another kind", function()
    local code, words = registry:update(support.tree({ "http://127.0.0.1:1" }, "127.0.0.1:7402"))
    assert.equal(tonumber(C.PERI_EUNSUPPORTED), code)
    assert.truthy(words:find("restart", 1, true))
    assert.equal(0, (registry:update({ cluster = "c", listen = { mesh = "127.0.0.1:7402" }, registry = { kind = "static" } })))
    assert.equal(2, registry:published())
  end)

  it("leaves and stops at once, but never from within the call", function()
    registry:leave(1000)
    assert.is_true(registry:free())
    registry = nil
  end)
end)
