local etcd = require("spec.support.etcd")
local support = require("spec.core.etcd.lease_support")
local C, ffi, slice = support.C, support.ffi, support.slice

describe("etcd/election", function()
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

  local function campaign(name, lease, value)
    local probe = rig:probe()
    assert.equal(0, C.peri_etcd_campaign(rig.c.etcd, slice(name), lease, slice(value), C.peri_lease_leads, probe, nil))
    return probe
  end

  local function elected(probe)
    return rig:step_until(5000, function()
      return probe.done > 0
    end)
  end

  --- What a campaign's answer proves leadership with; the strings must be kept.
  local function proof(probe)
    local name, key = support.value(probe), support.key(probe)
    local leader = ffi.new("struct peri_etcd_leader", slice(name), slice(key), probe.number, probe.lease)
    return leader, name, key
  end

  local function proclaim(probe, value)
    local leader, name, key = proof(probe)
    local told = rig:call(function(call)
      return C.peri_etcd_proclaim(rig.c.etcd, leader, slice(value), C.peri_lease_done, call, nil)
    end)
    return told, name, key
  end

  local function resign(probe)
    local leader, name, key = proof(probe)
    local told = rig:call(function(call)
      return C.peri_etcd_resign(rig.c.etcd, leader, C.peri_lease_done, call, nil)
    end)
    return told, name, key
  end

  local function who(name)
    local probe = rig:call(function(call)
      return C.peri_etcd_leader(rig.c.etcd, slice(name), C.peri_lease_found, call, nil)
    end)
    assert.equal(0, probe.kind, ffi.string(probe.text))
    return probe.key_len > 0 and support.value(probe) or nil, probe
  end

  it("lets one lead after the other, each with a greater revision", function()
    assert.is_nil((who("election/a")))
    local first, second = rig:grant(20), rig:grant(20)
    local a = campaign("election/a", first, "one")
    assert.is_true(elected(a))
    assert.equal(0, a.kind)
    assert.equal("election/a", support.value(a))
    assert.equal("election/a/" .. support.hex(first), support.key(a))
    assert.is_true(a.lease == first)
    local b = campaign("election/a", second, "two")
    rig:work(100)
    assert.equal(0, b.done)
    local name, found = who("election/a")
    assert.equal("one", name)
    assert.is_true(found.lease == first)

    assert.equal(0, (resign(a)).kind)
    assert.is_true(elected(b))
    assert.is_true(b.number > a.number)
    assert.equal("two", (who("election/a")))
  end)

  it("lets the leader change its value, and nobody else", function()
    local lease = rig:grant(20)
    local a = campaign("election/b", lease, "old")
    assert.is_true(elected(a))
    assert.equal(0, (proclaim(a, "new")).kind)
    assert.equal("new", (who("election/b")))
    assert.equal(0, (resign(a)).kind)
    local refused = proclaim(a, "late")
    assert.equal(C.PERI_ETCD_INVALID, refused.kind)
    assert.truthy(ffi.string(refused.text):find("not leader", 1, true))
    assert.equal(0, (resign(a)).kind)
    assert.is_nil((who("election/b")))
  end)

  it("passes on when the leader's lease ends", function()
    local first, second = rig:grant(20), rig:grant(20)
    assert.is_true(elected(campaign("election/c", first, "one")))
    local b = campaign("election/c", second, "two")
    rig:work(100)
    rig:revoke(first)
    assert.is_true(elected(b))
    assert.equal("two", (who("election/c")))
  end)

  it("is the same candidacy under the same lease", function()
    local lease = rig:grant(20)
    local a = campaign("election/d", lease, "one")
    assert.is_true(elected(a))
    local again = campaign("election/d", lease, "other")
    assert.is_true(elected(again))
    assert.is_true(a.number == again.number)
    assert.equal("other", (who("election/d")))
  end)
end)
