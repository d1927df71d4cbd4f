local uv = require("luv")
local S = require("spec.core.registry.registrar_support")
local C, proc, etcd = S.C, S.proc, S.etcd

describe("registry/tenure", function()
  local cluster
  before_each(function()
    cluster = etcd.start({ fast = true })
  end)
  after_each(function()
    S.close_all()
    etcd.stop_all()
  end)

  local function await_ours(registrar, key, limit_ms)
    proc.await(key .. " under our lease", limit_ms or 5000, function()
      local record = cluster:read(key)[key]
      return record and registrar:lease() ~= 0 and S.lease(record.lease) == registrar:lease()
    end)
  end

  it("keeps its lease alive beyond its TTL", function()
    local registrar = S.new(cluster.endpoints, { ttl = 1 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    proc.watch(3000)
    assert.is_true(registrar:lease() == lease)
    assert.equal(S.REGISTERED, S.state(entry))
    await_ours(registrar, "Shop/10.0.0.7:1")
    assert.is_true(C.peri_registrar_remaining_ms(registrar.ptr[0]) > 0)
  end)

  it("goes on with the same lease when etcd is killed and comes back", function()
    local registrar = S.new(cluster.endpoints, { ttl = 10 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    cluster:restart()
    proc.watch(1500)
    assert.is_true(registrar:lease() == lease)
    assert.equal(S.REGISTERED, S.state(entry))
    await_ours(registrar, "Shop/10.0.0.7:1")
    assert.equal(1, #cluster:leases())
  end)

  it("registers again within 2 s when etcd lost all its data", function()
    local registrar = S.new(cluster.endpoints, { ttl = 10, fleet = 100 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    cluster:wipe()
    local back = uv.hrtime()
    proc.await("another lease", 10000, function()
      return registrar:lease() ~= 0 and registrar:lease() ~= lease
    end)
    registrar:await_state(entry, S.REGISTERED)
    local ms = (uv.hrtime() - back) / 1e6
    assert.is_true(ms < 2000 * proc.patience, ms)
    await_ours(registrar, "Shop/10.0.0.7:1")
    assert.equal(1, #cluster:leases())
    assert.equal(2, registrar:metric("perigee_lease_grants_total"))
  end)

  it("registers again when its lease is revoked", function()
    local registrar = S.new(cluster.endpoints, { ttl = 2 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    cluster:ctl("lease", "revoke", cluster:leases()[1])
    -- What the watch sees is faster than the next renewal.
    S.see(entry, cluster)
    proc.await("another lease", 5000, function()
      return registrar:lease() ~= 0 and registrar:lease() ~= lease
    end)
    registrar:await_state(entry, S.REGISTERED)
    await_ours(registrar, "Shop/10.0.0.7:1")
    assert.equal(1, #cluster:leases())
  end)

  it("registers again when the lease ended while etcd was frozen", function()
    local registrar = S.new(cluster.endpoints, { ttl = 1 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    cluster:freeze()
    proc.watch(2500)
    assert.is_true(registrar:lease() == lease)
    assert.is_true(C.peri_registrar_remaining_ms(registrar.ptr[0]) < 0)
    assert.is_true(C.peri_registrar_trouble(registrar.ptr[0]) ~= 0)
    cluster:thaw()
    local back = uv.hrtime()
    proc.await("a live lease", 5000, function()
      return C.peri_registrar_remaining_ms(registrar.ptr[0]) > 0 and S.state(entry) == S.REGISTERED
    end)
    local ms = (uv.hrtime() - back) / 1e6
    assert.is_true(ms < 2000 * proc.patience, ms)
    await_ours(registrar, "Shop/10.0.0.7:1")
  end)

  it("registers once etcd comes, which was not there at first", function()
    cluster:kill()
    local registrar = S.new(cluster.endpoints)
    local entry = assert(registrar:add("Shop", "10.0.0.7:1"))
    proc.await("a failure", 5000, function()
      return registrar:metric("perigee_registration_failures_total", 'kind="unreachable"') > 0
    end)
    assert.equal(S.REGISTERING, S.state(entry))
    assert.is_true(#S.reason(entry) > 0)
    cluster:restart()
    local back = uv.hrtime()
    registrar:await_state(entry, S.REGISTERED)
    local ms = (uv.hrtime() - back) / 1e6
    assert.is_true(ms < 2000 * proc.patience, ms)
    assert.equal(0, C.peri_registrar_trouble(registrar.ptr[0]))
  end)

  it("leaks no lease when the answers to its grants are not heard", function()
    local registrar = S.new(cluster.endpoints, { ttl = 60 })
    local other = registrar:registered("Other", "10.0.0.7:1")
    cluster:ctl("lease", "revoke", cluster:leases()[1])
    registrar.fleet[0] = 0
    C.peri_listing_seen(other, 0, 1000)
    proc.await("the loss", 5000, function()
      return registrar:lease() == 0
    end)
    cluster:freeze()
    -- What is sent now lies in etcd's sockets, and is done when it goes on.
    proc.watch(5000)
    proc.await("a grant given up", 10000, function()
      return registrar:metric("perigee_registration_failures_total", 'kind="timeout"') >= 1
    end)
    cluster:thaw()
    registrar:await_state(other, S.REGISTERED)
    await_ours(registrar, "Other/10.0.0.7:1")
    proc.watch(500)
    assert.equal(1, #cluster:leases())
  end)

  it("keeps what is registered alive when the quota is exhausted", function()
    cluster:stop()
    cluster = etcd.start({ fast = true, flags = { "--quota-backend-bytes", "2000000" } })
    local registrar = S.new(cluster.endpoints, { ttl = 1 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local lease = registrar:lease()
    local blob = ("x"):rep(100000)
    for i = 1, 60 do
      if cluster:try("put", "blob" .. i, blob).code ~= 0 then
        break
      end
    end
    assert.is_truthy(cluster:ctl("alarm", "list"):find("NOSPACE"))
    local second = assert(registrar:add("Second", "10.0.0.7:1"))
    registrar:await_state(second, S.BLOCKED)
    assert.equal(C.PERI_ETCD_NOSPACE, C.peri_registrar_trouble(registrar.ptr[0]))
    proc.watch(2500)
    assert.is_true(registrar:lease() == lease)
    assert.equal(S.REGISTERED, S.state(entry))
    await_ours(registrar, "Shop/10.0.0.7:1")
    assert.is_true(registrar:metric("perigee_registration_failures_total", 'kind="nospace"') <= 2)
    assert.equal(0, (S.await(registrar:leave(2000))))
    assert.is_nil(cluster:read("Shop/")["Shop/10.0.0.7:1"])
  end)
end)
