local S = require("spec.core.registry.registrar_support")
local C, proc, etcd = S.C, S.proc, S.etcd

describe("registry/registration", function()
  local cluster
  setup(function()
    cluster = etcd.start({ fast = true })
  end)
  teardown(function()
    etcd.stop_all()
  end)
  after_each(function()
    S.close_all()
    etcd.stop_all()
    cluster = etcd.start({ fast = true })
  end)

  it("frees nothing without complaint", function()
    C.peri_registrar_free(nil)
  end)

  it("is freed with everything under way", function()
    local registrar = S.new(cluster.endpoints)
    for i = 1, 50 do
      assert(registrar:add("Shop", "10.0.0.7:" .. i))
    end
    C.peri_loop_step(registrar.loop, 0)
    registrar:close()
    registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    for i = 1, 50 do
      assert(registrar:add("More", "10.0.0.7:" .. i))
    end
    local outcome = registrar:remove(entry)
    for _ = 1, 3 do
      C.peri_loop_step(registrar.loop, 0)
    end
    registrar:close()
    assert.is_true(outcome.count <= 1)
  end)

  it("refuses what makes no key", function()
    local registrar = S.new(cluster.endpoints)
    assert.same({ nil, C.PERI_EINVAL }, { registrar:add("", "10.0.0.7:1") })
    assert.same({ nil, C.PERI_EINVAL }, { registrar:add("/Shop", "10.0.0.7:1") })
    assert.same({ nil, C.PERI_EINVAL }, { registrar:add("Shop", "") })
  end)

  it("puts everything again when the store lost data but kept the lease", function()
    local registrar = S.new(cluster.endpoints, { ttl = 30 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    cluster:ctl("del", "Shop/10.0.0.7:1")
    C.peri_registrar_regressed(registrar.ptr[0])
    registrar:await_state(entry, S.REGISTERED)
    proc.await("the record", 5000, function()
      return cluster:read("Shop/")["Shop/10.0.0.7:1"]
    end)
  end)

  it("is blocked, with the reason, while the user may not write there", function()
    cluster:ctl("user", "add", "root:r00t-secret")
    cluster:ctl("user", "add", "shop:sh0p-secret")
    cluster:ctl("role", "add", "shop")
    cluster:ctl("role", "grant-permission", "shop", "--prefix=true", "readwrite", "mine/")
    cluster:ctl("user", "grant-role", "shop", "shop")
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("auth", "enable")
    cluster.ctl_args = { "--user", "root:r00t-secret" }
    local registrar = S.new(cluster.endpoints, { user = "shop", password = "sh0p-secret", prefix = "theirs/" })
    local entry = assert(registrar:add("Shop", "10.0.0.7:1"))
    registrar:await_state(entry, S.BLOCKED)
    assert.is_truthy(S.reason(entry):find("permission denied", 1, true))
    assert.equal(C.PERI_ETCD_DENIED, C.peri_registrar_trouble(registrar.ptr[0]))
    local function denied()
      return registrar:metric("perigee_registration_failures_total", 'kind="denied"')
    end
    assert.equal(1, denied())
    proc.watch(3000)
    assert.equal(1, denied())
    -- Nothing was put, so nothing keeps it from leaving.
    local code, ms = S.await(registrar:leave(2000))
    assert.equal(0, code)
    assert.is_true(ms < 1000 * proc.patience, ms)
    registrar:close()

    registrar = S.new(cluster.endpoints, { user = "shop", password = "sh0p-secret", prefix = "mine/" })
    registrar:registered("Shop", "10.0.0.7:1")
    registrar:close()

    registrar = S.new(cluster.endpoints, { user = "shop", password = "wrong-secret", prefix = "mine/" })
    entry = assert(registrar:add("Shop", "10.0.0.7:2"))
    registrar:await_state(entry, S.BLOCKED)
    assert.is_nil(S.reason(entry):find("wrong-secret", 1, true))
    assert.equal(C.PERI_ETCD_LOGIN, C.peri_registrar_trouble(registrar.ptr[0]))
    assert.equal(0, (S.await(registrar:leave(1000))))
  end)

  it("spreads a fleet that lost its leases, the more the larger", function()
    local registrar = S.new(cluster.endpoints, { fleet = 8000 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local waits = 0
    for _ = 1, 3 do
      local lease = registrar:lease()
      cluster:ctl("lease", "revoke", cluster:leases()[1])
      S.see(entry, cluster)
      proc.await("the loss", 5000, function()
        return registrar:lease() ~= lease
      end)
      local began = require("luv").hrtime()
      registrar.fleet[0] = 8000
      registrar:await_state(entry, S.REGISTERED, 12000)
      waits = waits + (require("luv").hrtime() - began) / 1e6
    end
    -- Three times evenly below 10 s: together under 0.5 s in one of 48,000 runs.
    assert.is_true(waits > 500, waits)
  end)

  it("hurries after failures that may be over", function()
    cluster:kill()
    local registrar = S.new(cluster.endpoints)
    local entry = assert(registrar:add("Shop", "10.0.0.7:1"))
    proc.await("a failure", 10000, function()
      return #S.reason(entry) > 0
    end)
    cluster:restart()
    C.peri_registrar_hurry(registrar.ptr[0])
    registrar:await_state(entry, S.REGISTERED)
  end)
end)
