local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local support = require("spec.core.registry.registry_support")
local C = cffi.load({ "base/error.h", "registry/registry.h", "registry/registry_shim.h" })

describe("the services seen", function()
  local cluster, registry

  setup(function()
    cluster = etcd.start({ fast = true })
    for _, service in ipairs({ "c", "orders", "team/billing" }) do
      cluster:ctl("put", service .. "/127.0.0.1:1", '{"Op":0,"Addr":"127.0.0.1:1"}')
    end
  end)

  teardown(function()
    cluster:stop()
  end)

  before_each(function()
    local provides = { { service = "orders", address = "127.0.0.1:1" } }
    registry = assert(support.start(support.tree(cluster.endpoints, "127.0.0.1:7402", { provides = provides })))
    registry:await("the first snapshot", function()
      return registry:published() > 0
    end)
  end)

  after_each(function()
    assert.is_true(registry:free())
  end)

  local function want(service)
    return C.peri_registry_want(C.registry_rig_registry(registry.rig), cffi.slice(service))
  end

  it("are the cluster and what is provided, together in the first snapshot", function()
    assert.equal(1, registry:published())
    assert.equal("127.0.0.1:1", registry:addresses("c"))
    assert.equal("127.0.0.1:1", registry:addresses("orders"))
    assert.equal("", registry:addresses("team/billing"))
  end)

  it("are others once somebody asks", function()
    assert.equal(0, want("team/billing"))
    registry:await("its endpoints", function()
      return registry:addresses("team/billing") == "127.0.0.1:1"
    end)
    assert.equal(0, want("team/billing"))
    assert.equal(0, want("nowhere"))
    registry:await("that it is empty", function()
      local status = registry:status().services.nowhere
      return status and status.state == "live" and status.endpoints == 0
    end)
  end)

  it("have names, and a limit", function()
    for _, name in ipairs({ "", "/a", "a/", ("x"):rep(1025), "a\0b" }) do
      assert.equal(tonumber(C.PERI_EINVAL), want(name), name)
    end
    for i = 1, 256 do
      assert.equal(0, want("service-" .. i))
    end
    -- None of them was read yet, so none is known to be nobody's.
    assert.equal(tonumber(C.PERI_ELIMIT), want("one-more"))
    assert.equal(0, want("service-1"))
    registry:await("that they are nobody's", function()
      local status = registry:status().services["service-256"]
      return status and status.state == "live"
    end)
    assert.equal(0, want("one-more"))
    assert.is_nil(registry:status().services["service-2"])
    assert.truthy(registry:status().services["service-1"])
  end)

  it("follow the configuration", function()
    local tree = support.tree(cluster.endpoints, "127.0.0.1:7402", { provides = { { service = "team/billing", address = "127.0.0.1:1" } } })
    assert.equal(0, (registry:update(tree)))
    registry:await("the other service", function()
      return registry:addresses("orders") == "" and registry:addresses("team/billing") == "127.0.0.1:1"
    end)
  end)
end)
