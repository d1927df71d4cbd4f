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

describe("etcd/lane, beside fake servers,", function()
  local fake = require("spec.support.etcdfake")
  local servers, rig

  setup(fake.setup)
  before_each(function()
    servers = { fake.start(), fake.start() }
    rig = support.rig({ servers[1].endpoints[1], servers[2].endpoints[1] })
  end)
  after_each(function()
    rig:free()
    for _, server in ipairs(servers) do
      server:stop()
    end
  end)

  --- What every server answers to keepalives, or one of them (from 1).
  local function answers(answer, at)
    answer.for_ever = answer.for_ever ~= false
    for i, server in ipairs(servers) do
      if not at or i == at then
        server:tell({ answers = { KeepAlive = { answer } } })
      end
    end
  end

  it("is closed when another one answers", function()
    answers({ ttl = 5, for_ever = false })
    local probe = rig:keep(77, 5)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    local at = C.peri_lease_rig_endpoint(rig.c)
    answers({ hang = true }, at + 1)
    local renewed = probe.renewed
    assert.is_true(rig:step_until(2000, function()
      return probe.renewed > renewed
    end))
    assert.equal(1 - at, C.peri_lease_rig_endpoint(rig.c))
    assert.equal(1, tonumber(C.peri_lease_rig_lanes(rig.c)))
    assert.equal(1, tonumber(C.peri_etcd_keeper_hedges(rig.c.keeper)))
    assert.equal(0, probe.troubles)
  end)

  it("goes round the members that answer errors, at a bounded pace", function()
    answers({ code = 14, message = "etcdserver: no leader" })
    local probe = rig:keep(77, 60)
    C.peri_etcd_kept_hurry(probe.kept)
    rig:work(3000)
    assert.equal(C.PERI_ETCD_NO_LEADER, probe.kind)
    assert.is_true(probe.troubles >= 8 and probe.troubles <= 40, tostring(probe.troubles))
    for _, server in ipairs(servers) do
      server:await("KeepAlive", 3)
    end
  end)

  it("asks seldom where it may not", function()
    answers({ code = 7, message = "etcdserver: permission denied" })
    local probe = rig:keep(77, 8)
    C.peri_etcd_kept_hurry(probe.kept)
    rig:work(3000)
    assert.equal(C.PERI_ETCD_DENIED, probe.kind)
    assert.is_true(probe.troubles <= 2, tostring(probe.troubles))
  end)

  it("counts the life that the answer gives, from when it was asked", function()
    answers({ ttl = 3, delay_ms = 200 })
    local probe = rig:keep(77, 60)
    C.peri_etcd_kept_hurry(probe.kept)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    assert.equal(3, tonumber(probe.ttl_s))
    local left = tonumber(C.peri_etcd_kept_remaining_ms(probe.kept))
    assert.is_true(left > 1000 and left <= 2800, tostring(left))
  end)
end)
