local etcd = require("spec.support.etcd")
local fake = require("spec.support.etcdfake")
local support = require("spec.core.etcd.lease_support")
local C = support.C

describe("etcd/keepalive", function()
  local cluster, rig

  setup(function()
    fake.setup()
    cluster = etcd.start({ fast = true })
  end)
  teardown(etcd.stop_all)

  before_each(function()
    rig = support.rig(cluster.endpoints)
  end)
  after_each(function()
    rig:free()
  end)

  it("keeps a lease alive over one stream", function()
    local id, ttl = rig:grant(2)
    local probe = rig:keep(id, ttl)
    rig:work(10000)
    assert.is_true(rig:info(id).ttl_s > 0)
    assert.is_true(probe.renewed >= 18 and probe.renewed <= 26, tostring(probe.renewed))
    assert.equal(2, tonumber(probe.ttl_s))
    assert.equal(0, probe.lost + probe.troubles)
    assert.equal(1, tonumber(C.peri_lease_rig_lanes(rig.c)))
    assert.equal(1, tonumber(C.peri_lease_rig_opened(rig.c)))
    local gap = tonumber(probe.worst_gap_ns) / 1e6
    assert.is_true(gap >= 350 and gap < 900, tostring(gap))
    local left = tonumber(C.peri_etcd_kept_remaining_ms(probe.kept))
    assert.is_true(left > 1000 and left <= 2000, tostring(left))
    rig:revoke(id)
  end)

  it("keeps many leases with one stream", function()
    local probes, ids = {}, {}
    for i = 1, 40 do
      local id, ttl = rig:grant(i % 2 + 1)
      ids[i], probes[i] = id, rig:keep(id, ttl)
    end
    rig:work(4000)
    for i, probe in ipairs(probes) do
      assert.is_true(probe.renewed >= 6, tostring(probe.renewed))
      assert.equal(0, probe.lost)
      assert.is_true(rig:info(ids[i]).ttl_s >= 0)
      rig:revoke(ids[i])
    end
    assert.equal(1, tonumber(C.peri_lease_rig_lanes(rig.c)))
  end)

  it("finds a revoked lease lost, once, and no other", function()
    local id, ttl = rig:grant(2)
    local other, other_ttl = rig:grant(2)
    local probe, stays = rig:keep(id, ttl), rig:keep(other, other_ttl)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    cluster:ctl("lease", "revoke", support.hex(id))
    assert.is_true(rig:step_until(2000, function()
      return probe.lost > 0
    end))
    assert.is_true(C.peri_etcd_kept_remaining_ms(probe.kept) < 0)
    C.peri_etcd_kept_hurry(probe.kept)
    local renewed = stays.renewed
    assert.is_true(rig:step_until(5000, function()
      return stays.renewed > renewed + 2
    end))
    assert.equal(1, probe.lost)
    assert.equal(0, stays.lost)
    rig:revoke(other)
  end)

  it("asks at once when it is told to hurry", function()
    local id, ttl = rig:grant(60)
    local probe = rig:keep(id, ttl)
    rig:work(100)
    assert.equal(0, probe.renewed)
    C.peri_etcd_kept_hurry(probe.kept)
    assert.is_true(rig:step_until(1000, function()
      return probe.renewed == 1
    end))
    rig:revoke(id)
  end)

  it("lets callbacks free handles", function()
    for _, field in ipairs({ "drop_when_renewed", "drop_when_lost" }) do
      local id, ttl = rig:grant(1)
      local second, second_ttl = rig:grant(1)
      local other = rig:keep(second, second_ttl)
      local probe = rig:keep(id, ttl, { [field] = true, other = other })
      if field == "drop_when_lost" then
        rig:revoke(id)
      end
      assert.is_true(rig:step_until(5000, function()
        return probe.kept == nil
      end))
      assert.is_true(other.kept == nil)
      rig:work(300)
      assert.is_true(probe.renewed + probe.lost <= 2)
    end
  end)

  it("leaves handles idle when it is freed first", function()
    local id, ttl = rig:grant(1)
    local probe = rig:keep(id, ttl)
    C.peri_etcd_keeper_free(rig.c.keeper)
    rig.c.keeper = nil
    C.peri_etcd_kept_hurry(probe.kept)
    rig:work(200)
    assert.equal(0, probe.renewed)
  end)

  it("counts the life that the answer gives, from when it was asked", function()
    local server = fake.start()
    local other = support.rig(server.endpoints)
    server:tell({ answers = { KeepAlive = { { ttl = 3, delay_ms = 200, for_ever = true } } } })
    local probe = other:keep(77, 60)
    C.peri_etcd_kept_hurry(probe.kept)
    assert.is_true(other:step_until(5000, function()
      return probe.renewed > 0
    end))
    assert.equal(3, tonumber(probe.ttl_s))
    local left = tonumber(C.peri_etcd_kept_remaining_ms(probe.kept))
    assert.is_true(left > 1000 and left <= 2800, tostring(left))
    other:free()
    server:stop()
  end)

  it("refuses what no lease is", function()
    local probe = rig:probe()
    for _, pair in ipairs({ { 0, 5 }, { 1, 0 }, { 1, -1 }, { 1, 9000000001LL } }) do
      assert.equal(C.PERI_EINVAL, C.peri_lease_keep(rig.c, probe, pair[1], pair[2]))
    end
  end)
end)

describe("etcd/keepalive, beside a server in trouble,", function()
  local cluster, rig

  before_each(function()
    cluster = etcd.start({ fast = true })
    rig = support.rig(cluster.endpoints)
  end)
  after_each(function()
    rig:free()
    etcd.stop_all()
  end)

  it("goes on with the same lease after a restart", function()
    local id, ttl = rig:grant(5)
    local probe = rig:keep(id, ttl)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    cluster:kill()
    assert.is_true(rig:step_until(3000, function()
      return probe.troubles > 2
    end))
    assert.equal(C.PERI_ETCD_UNREACHABLE, probe.kind)
    cluster:restart(nil, { wait = false })
    local renewed = probe.renewed
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > renewed
    end))
    assert.equal(1, probe.recovered)
    assert.equal(0, probe.lost)
    assert.is_true(rig:info(id).ttl_s > 0)
  end)

  it("finds leases lost that expired while the server was frozen", function()
    local id, ttl = rig:grant(2)
    local probe = rig:keep(id, ttl)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    cluster:freeze()
    rig:work(3500)
    assert.equal(0, probe.lost)
    assert.is_true(C.peri_etcd_kept_remaining_ms(probe.kept) < 0)
    assert.equal(C.PERI_ETCD_TIMEOUT, probe.kind)
    -- No more than a few streams, however long it takes.
    assert.is_true(C.peri_lease_rig_lanes(rig.c) <= 8)
    assert.is_true(probe.troubles < 40, tostring(probe.troubles))
    cluster:thaw()
    assert.is_true(rig:step_until(5000, function()
      return probe.lost == 1
    end))
  end)

  it("finds all leases lost when the data are", function()
    local id, ttl = rig:grant(5)
    local probe = rig:keep(id, ttl)
    cluster:wipe()
    assert.is_true(rig:step_until(5000, function()
      return probe.lost == 1
    end))
  end)

  it("lets a callback free handles when it fails", function()
    local id, ttl = rig:grant(2)
    local second, second_ttl = rig:grant(2)
    local other = rig:keep(second, second_ttl)
    local probe = rig:keep(id, ttl, { drop_when_troubled = true, other = other })
    other.drop_when_troubled, other.other = true, probe
    cluster:kill()
    assert.is_true(rig:step_until(5000, function()
      return probe.kept == nil and other.kept == nil
    end))
    rig:work(300)
    assert.equal(1, probe.troubles + other.troubles)
  end)
end)

describe("etcd/keepalive, among three members,", function()
  local cluster, rig

  before_each(function()
    cluster = etcd.start({ members = 3, fast = true })
    rig = support.rig(cluster.endpoints)
  end)
  after_each(function()
    rig:free()
    etcd.stop_all()
  end)

  --- Does something to the leader, twice, and sees the lease live.
  local function survives(harm, heal)
    local id, ttl = rig:grant(2)
    local probe = rig:keep(id, ttl)
    assert.is_true(rig:step_until(5000, function()
      return probe.renewed > 0
    end))
    for _ = 1, 2 do
      local leader = cluster:leader()
      harm(leader)
      local renewed = probe.renewed
      assert.is_true(rig:step_until(5000, function()
        return probe.renewed > renewed + 2
      end))
      heal(leader)
      assert.is_true(rig:step_until(10000, function()
        return cluster:healthy(leader)
      end))
    end
    assert.equal(0, probe.lost)
    assert.equal(1, tonumber(C.peri_lease_rig_lanes(rig.c)))
    local gap = tonumber(probe.worst_gap_ns) / 1e6
    assert.is_true(gap < 2000, tostring(gap))
    return probe
  end

  it("outlives frozen leaders", function()
    survives(function(leader)
      cluster:freeze(leader)
    end, function(leader)
      cluster:thaw(leader)
    end)
  end)

  it("outlives killed leaders", function()
    survives(function(leader)
      cluster:kill(leader)
    end, function(leader)
      cluster:restart(leader, { wait = false })
    end)
  end)

  it("never turns in circles without a quorum", function()
    local id, ttl = rig:grant(60)
    local probe = rig:keep(id, ttl)
    local leader = cluster:leader()
    for i = 1, 3 do
      if i ~= leader then
        cluster:kill(i)
      end
    end
    C.peri_etcd_kept_hurry(probe.kept)
    rig:work(5000)
    assert.is_true(probe.troubles > 5 and probe.troubles < 60, tostring(probe.troubles))
    for i = 1, 3 do
      if i ~= leader then
        cluster:restart(i, { wait = false })
      end
    end
    local renewed = probe.renewed
    assert.is_true(rig:step_until(10000, function()
      return probe.renewed > renewed
    end))
    assert.equal(0, probe.lost)
  end)
end)
