local etcd = require("spec.support.etcd")
local support = require("spec.core.registry.registry_support")

describe("the status of a part in a cluster", function()
  local cluster, registry

  before_each(function()
    cluster = etcd.start({ fast = true })
    registry = assert(support.start(support.tree(cluster.endpoints, "127.0.0.1:7402")))
  end)

  after_each(function()
    assert.is_true(registry:free())
    cluster:stop()
  end)

  it("goes from syncing to live to stale and back, and says how old and why", function()
    assert.equal("syncing", registry:status().state)
    registry:enter()
    registry:await("its record", function()
      return registry:settled() and registry:addresses("c") ~= "" and registry:status().state == "live"
    end)
    local live = registry:status()
    assert.equal("etcd", live.kind)
    assert.equal(cluster.endpoints[1], live.endpoint)
    assert.equal("", live.trouble)
    assert.truthy(live.revision > 1)
    assert.truthy(live.lease_remaining_ms > 2000 and live.lease_remaining_ms <= 5000, live.lease_remaining_ms)
    cluster:kill()
    registry:await("trouble", function()
      local status = registry:status()
      return status.state == "stale" and status.trouble == "unreachable" and status.age_ms > 500
    end)
    assert.truthy(registry:status().reason:find("refused", 1, true))
    assert.equal("127.0.0.1:7402", registry:addresses("c"))
    cluster:restart(nil, { wait = false })
    registry:await("life", function()
      local status = registry:status()
      return status.state == "live" and status.trouble == "" and status.age_ms < 1000
    end, 20000)
  end)
end)
