local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local support = require("spec.core.registry.registry_support")
local C = cffi.load({ "base/error.h", "base/clock.h" })

describe("a part in an etcd cluster", function()
  local cluster
  local self = "127.0.0.1:7402"

  setup(function()
    cluster = etcd.start({ fast = true })
  end)

  teardown(function()
    cluster:stop()
  end)

  local function start(etcd_options)
    local registry = assert(support.start(support.tree(cluster.endpoints, self, {}, etcd_options)))
    registry:enter()
    registry:await("its record", function()
      return registry:settled() and registry:addresses("c") == self
    end)
    return registry
  end

  it("ends without a trace: out of the registry, then without a lease", function()
    local registry = start()
    assert.truthy(registry:status().lease ~= 0)
    registry:leave(2000)
    assert.same({}, cluster:read(""))
    assert.truthy(cluster:ctl("lease", "list"):find("found 1 leases", 1, true))
    assert.is_true(registry:free(2000))
    assert.truthy(cluster:ctl("lease", "list"):find("found 0 leases", 1, true))
  end)

  it("ends in time though etcd is frozen", function()
    local registry = start()
    cluster:freeze()
    local begun = C.peri_clock_mono_ns()
    registry:leave(500)
    assert.is_true(registry:free(300))
    local took_ms = tonumber(C.peri_clock_mono_ns() - begun) / 1e6
    cluster:thaw()
    assert.truthy(took_ms < 1500 * proc.patience, took_ms)
    cluster:ctl("del", "--prefix", "")
  end)

  it("starts below a prefix", function()
    local registry = start({ prefix = "/mesh/" })
    assert.truthy(cluster:read("/mesh/")["/mesh/c/" .. self])
    registry:leave(1000)
    assert.is_true(registry:free())
  end)

  it("does not change how etcd is reached while it runs", function()
    local registry = start()
    for name, value in pairs({ ttl = "6s", prefix = "x", user = "u", endpoints = { "http://127.0.0.1:1" }, timeout = "1s" }) do
      local code, words = registry:update(support.tree(cluster.endpoints, self, {}, { [name] = value, password = name == "user" and "p" or nil }))
      assert.equal(tonumber(C.PERI_EUNSUPPORTED), code, name)
      assert.truthy(words:find("restart", 1, true))
    end
    assert.equal(0, (registry:update(support.tree(cluster.endpoints, self))))
    registry:leave(1000)
    assert.is_true(registry:free())
  end)

  it("comes back by itself after etcd was wiped", function()
    local registry = start()
    cluster:wipe()
    local begun = C.peri_clock_mono_ns()
    registry:await("its record again", function()
      return cluster:read("c/")["c/" .. self]
    end)
    local took_ms = tonumber(C.peri_clock_mono_ns() - begun) / 1e6
    assert.truthy(took_ms < 2000 * proc.patience, took_ms)
    registry:leave(1000)
    assert.is_true(registry:free())
  end)
end)
