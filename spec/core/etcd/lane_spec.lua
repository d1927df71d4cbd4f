local etcd = require("spec.support.etcd")
local support = require("spec.core.etcd.lease_support")
local C = support.C

describe("etcd/lane", function()
  local cluster, rig, id, probe

  setup(function()
    cluster = etcd.start({ fast = true })
  end)
  teardown(etcd.stop_all)

  --- A lane that is open, with nothing asked on it.
  before_each(function()
    rig = support.rig(cluster.endpoints)
    local ttl
    id, ttl = rig:grant(60)
    probe = rig:keep(id, ttl)
    C.peri_etcd_kept_hurry(probe.kept)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed == 1
    end))
  end)
  after_each(function()
    rig:free()
  end)

  --- Asks on the lane, and lets no answer come before `act` is done.
  local function meanwhile(act)
    cluster:freeze()
    C.peri_etcd_kept_hurry(probe.kept)
    C.peri_loop_step(rig.c.loop, 0)
    act()
    cluster:thaw()
  end

  local function lanes()
    return tonumber(C.peri_lease_rig_lanes(rig.c))
  end

  it("ignores answers that nobody asked for", function()
    assert.is_true(C.peri_lease_rig_answer(rig.c, id, 0))
    assert.is_true(C.peri_lease_rig_answer(rig.c, id, 60))
    assert.is_true(C.peri_lease_rig_answer(rig.c, id + 1, 60))
    assert.is_true(C.peri_lease_rig_receive(rig.c, support.slice("")))
    assert.equal(1, probe.renewed)
    assert.equal(0, probe.lost)
    assert.equal(1, lanes())
  end)

  it("gives a stream up that speaks nonsense, and asks on another", function()
    meanwhile(function()
      assert.is_true(C.peri_lease_rig_receive(rig.c, support.slice("\255\255\255")))
      assert.equal(0, lanes())
      assert.equal(1, probe.troubles)
    end)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed >= 2
    end))
    assert.equal(1, lanes())
    assert.equal(0, probe.lost)
  end)

  it("does not believe in leases without end", function()
    meanwhile(function()
      assert.is_true(C.peri_lease_rig_answer(rig.c, id, 9223372036854775807LL))
      assert.equal(0, lanes())
      assert.equal(1, probe.troubles)
      assert.equal(C.PERI_ETCD_GARBAGE, probe.kind)
    end)
    assert.is_true(rig:step_until(5000, function()
      return probe.recovered == 1
    end))
    assert.equal(60, tonumber(probe.ttl_s))
  end)

  it("forgets what was asked for a handle that is gone", function()
    meanwhile(function()
      C.peri_lease_drop(probe)
    end)
    rig:work(300)
    assert.equal(1, probe.renewed)
    assert.equal(1, lanes())
  end)
end)
