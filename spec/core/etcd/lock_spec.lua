local etcd = require("spec.support.etcd")
local support = require("spec.core.etcd.lease_support")
local C, slice = support.C, support.slice

describe("etcd/lock", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start({ fast = true })
  end)
  teardown(etcd.stop_all)

  before_each(function()
    rig = support.rig(cluster.endpoints)
  end)
  after_each(function()
    rig:free()
  end)

  --- Asks for the lock under a lease of its own.
  local function lock(name, lease, call)
    local probe = rig:probe()
    assert.equal(0, C.peri_etcd_lock(rig.c.etcd, slice(name), lease, C.peri_lease_locked, probe, call))
    return probe
  end

  local function unlock(key)
    return rig:call(function(probe)
      return C.peri_etcd_unlock(rig.c.etcd, slice(key), C.peri_lease_done, probe, nil)
    end)
  end

  local function held(probe)
    return rig:step_until(5000, function()
      return probe.done > 0
    end)
  end

  it("is held by one at a time, in the order of arrival", function()
    local leases, probes = {}, {}
    for i = 1, 4 do
      leases[i] = rig:grant(20)
      probes[i] = lock("lock/order", leases[i])
      -- The order of arrival at the server, not of sending.
      assert.is_true(rig:step_until(5000, function()
        return select(2, cluster:read("lock/order/")) == i
      end))
    end
    for i = 1, 4 do
      assert.is_true(held(probes[i]))
      assert.equal(0, probes[i].kind)
      assert.equal("lock/order/" .. support.hex(leases[i]), support.key(probes[i]))
      rig:work(50)
      for j = i + 1, 4 do
        assert.equal(0, probes[j].done)
      end
      assert.equal(0, unlock(support.key(probes[i])).kind)
    end
    assert.equal(0, select(2, cluster:read("lock/order/")))
  end)

  it("passes on when the holder's lease ends", function()
    local first, second = rig:grant(20), rig:grant(20)
    assert.is_true(held(lock("lock/ends", first)))
    local waits = lock("lock/ends", second)
    rig:work(100)
    assert.equal(0, waits.done)
    rig:revoke(first)
    assert.is_true(held(waits))
  end)

  it("is the same hold when it is asked for again", function()
    local lease = rig:grant(20)
    local first = lock("lock/again", lease)
    assert.is_true(held(first))
    local again = lock("lock/again", lease)
    assert.is_true(held(again))
    assert.equal(support.key(first), support.key(again))
    assert.equal(1, select(2, cluster:read("lock/again/")))
  end)

  it("gives its place up when it is cancelled", function()
    local first, second, third = rig:grant(20), rig:grant(20), rig:grant(20)
    local holder = lock("lock/cancel", first)
    assert.is_true(held(holder))
    local call = support.ffi.new("struct peri_etcd_call *[1]")
    local cancelled = lock("lock/cancel", second, call)
    rig:work(100)
    local waits = lock("lock/cancel", third)
    rig:work(100)
    C.peri_etcd_call_cancel(call[0])
    assert.is_true(rig:step_until(5000, function()
      return select(2, cluster:read("lock/cancel/")) == 2
    end))
    unlock(support.key(holder))
    assert.is_true(held(waits))
    assert.equal(0, cancelled.done)
  end)

  it("needs a lease that lives", function()
    local probe = lock("lock/none", 12345)
    assert.is_true(held(probe))
    assert.equal(C.PERI_ETCD_NO_LEASE, probe.kind)
  end)

  it("can be given up twice", function()
    assert.equal(0, unlock("lock/absent/1").kind)
  end)
end)
