local fake = require("spec.support.etcdfake")
local support = require("spec.core.etcd.lease_support")
local C = support.C

describe("etcd/hedge", function()
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

  it("asks another member when one does not answer, and stays there", function()
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
    assert.equal(2, tonumber(C.peri_lease_rig_opened(rig.c)))
    assert.equal(0, probe.troubles)
  end)

  it("asks the members in turn that answer errors, at a bounded pace", function()
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

  it("asks seldom where it may not ask", function()
    answers({ code = 7, message = "etcdserver: permission denied" })
    local probe = rig:keep(77, 8)
    C.peri_etcd_kept_hurry(probe.kept)
    rig:work(3000)
    assert.equal(C.PERI_ETCD_DENIED, probe.kind)
    assert.is_true(probe.troubles <= 2, tostring(probe.troubles))
  end)
end)
