local cffi = require("spec.support.ffi")
local json = require("spec.support.json")
local S = require("spec.core.registry.registrar_support")
local C, ffi, proc, etcd = S.C, S.ffi, S.proc, S.etcd

describe("registry/entry", function()
  local cluster
  setup(function()
    cluster = etcd.start({ fast = true })
  end)
  teardown(function()
    etcd.stop_all()
  end)
  before_each(function()
    cluster:ctl("del", "--prefix", "")
  end)
  after_each(function()
    S.close_all()
  end)

  local function await_key(key, there)
    proc.await(key .. (there and " in etcd" or " to be gone"), 5000, function()
      return (cluster:read(key)[key] ~= nil) == there
    end)
  end

  local function await_lease(key, lease)
    proc.await(key .. " under our lease", 8000, function()
      local record = cluster:read(key)[key]
      return record and S.lease(record.lease) == lease
    end)
  end

  local function overwrite(entry, key, lease)
    cluster:ctl("put", "--lease=" .. lease, key, "another")
    S.see(entry, cluster)
  end

  local function grant()
    return cluster:ctl("lease", "grant", "60"):match("lease (%x+)")
  end

  it("puts what etcd's naming package reads under our lease", function()
    local registrar = S.new(cluster.endpoints, { prefix = "mesh/" })
    local entry = registrar:registered("Shop", "10.0.0.7:7402", 3)
    assert.equal("mesh/Shop/10.0.0.7:7402", cffi.string(C.peri_listing_key(entry)))
    assert.equal("10.0.0.7:7402", ffi.string(C.peri_listing_address(entry)))
    assert.equal("", S.reason(entry))
    local record = cluster:read("mesh/")["mesh/Shop/10.0.0.7:7402"]
    assert.is_true(S.lease(record.lease) == registrar:lease())
    local value = json.decode(record.value)
    assert.equal(0, value.Op)
    assert.equal("10.0.0.7:7402", value.Addr)
    assert.equal(3, value.Metadata.weight)
    assert.equal(1, registrar:metric("perigee_registrations"))
    assert.equal(1, registrar:metric("perigee_lease_grants_total"))
  end)

  it("is put when it is switched on, and taken out when it is switched off", function()
    local registrar = S.new(cluster.endpoints)
    local entry = assert(registrar:add("Shop", "10.0.0.7:1", false))
    proc.watch(100)
    assert.equal(S.OUT, S.state(entry))
    assert.is_true(S.reason(entry) ~= "")
    assert.is_true(registrar:lease() == 0)
    for _ = 1, 3 do
      C.peri_listing_switch(entry, true)
      registrar:await_state(entry, S.REGISTERED)
      await_key("Shop/10.0.0.7:1", true)
      C.peri_listing_switch(entry, false)
      assert.equal(S.OUT, S.state(entry))
      await_key("Shop/10.0.0.7:1", false)
    end
    assert.equal(0, registrar:metric("perigee_registrations"))
    assert.equal(1, registrar:metric("perigee_lease_grants_total"))
  end)

  it("ends as it was switched last, however fast", function()
    local registrar = S.new(cluster.endpoints)
    registrar:registered("Other", "10.0.0.7:1")
    local entry = assert(registrar:add("Shop", "10.0.0.7:1", true))
    for i = 1, 200 do
      C.peri_listing_switch(entry, i % 2 == 0)
      C.peri_loop_step(registrar.loop, i % 3)
    end
    registrar:await_state(entry, S.REGISTERED)
    await_key("Shop/10.0.0.7:1", true)
    for i = 1, 201 do
      C.peri_listing_switch(entry, i % 2 == 0)
      C.peri_loop_step(registrar.loop, i % 3)
    end
    local outcome = registrar:remove(entry)
    assert.equal(0, (S.await(outcome)))
    assert.is_nil(cluster:read("Shop/")["Shop/10.0.0.7:1"])
  end)

  it("is out when it was switched off while its Put was under way", function()
    local registrar = S.new(cluster.endpoints, { ttl = 30 })
    registrar:registered("Other", "10.0.0.7:1")
    cluster:freeze()
    local entry = assert(registrar:add("Shop", "10.0.0.7:1", true))
    proc.watch(100)
    assert.equal(S.REGISTERING, S.state(entry))
    C.peri_listing_switch(entry, false)
    proc.watch(1200)
    cluster:thaw()
    proc.watch(300)
    -- The Put that was given up may be done after the deletion: then the watch tells of it.
    if cluster:read("Shop/10.0.0.7:1")["Shop/10.0.0.7:1"] then
      S.see(entry, cluster)
    end
    await_key("Shop/10.0.0.7:1", false)
    local outcome = registrar:remove(entry)
    assert.equal(0, (S.await(outcome)))
    assert.is_nil(cluster:read("Shop/")["Shop/10.0.0.7:1"])
  end)

  it("takes its place again when somebody deletes it", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    for i = 1, 6 do
      cluster:ctl("del", "Shop/10.0.0.7:1")
      S.see(entry, cluster)
      registrar:await_state(entry, S.REGISTERED, 1000)
      await_lease("Shop/10.0.0.7:1", registrar:lease())
      assert.equal(i, registrar:metric("perigee_registration_conflicts_total"))
    end
  end)

  it("puts it back three times at once when a twin overwrites it, then every 5 s", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    local twin = grant()
    for _ = 1, 3 do
      overwrite(entry, "Shop/10.0.0.7:1", twin)
      registrar:await_state(entry, S.REGISTERED, 1000)
      await_lease("Shop/10.0.0.7:1", registrar:lease())
    end
    overwrite(entry, "Shop/10.0.0.7:1", twin)
    proc.watch(1000)
    assert.equal(S.REGISTERING, S.state(entry))
    assert.equal("overwritten by lease " .. twin, S.reason(entry))
    registrar:await_state(entry, S.REGISTERED, 6000)
    await_lease("Shop/10.0.0.7:1", registrar:lease())
    assert.equal(4, registrar:metric("perigee_registration_conflicts_total"))
  end)

  it("takes over what an earlier life of the same address left", function()
    local old = grant()
    cluster:ctl("put", "--lease=" .. old, "Shop/10.0.0.7:1", "old")
    local before = cluster:read("Shop/")["Shop/10.0.0.7:1"]
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    -- The watch may come late with what was there before.
    C.peri_listing_seen(entry, S.lease(before.lease), before.mod_revision)
    proc.watch(100)
    assert.equal(S.REGISTERED, S.state(entry))
    assert.equal(0, registrar:metric("perigee_registration_conflicts_total"))
    cluster:ctl("lease", "revoke", old)
    await_lease("Shop/10.0.0.7:1", registrar:lease())
  end)

  it("takes out a Put of its own that came through late", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    C.peri_listing_switch(entry, false)
    await_key("Shop/10.0.0.7:1", false)
    local ours = ("%x"):format(tonumber(registrar:lease() / 4294967296LL))
      .. ("%08x"):format(tonumber(registrar:lease() % 4294967296LL))
    overwrite(entry, "Shop/10.0.0.7:1", ours)
    await_key("Shop/10.0.0.7:1", false)
  end)

  it("changes its record in place", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1", 1)
    local before = cluster:read("Shop/")["Shop/10.0.0.7:1"]
    assert.equal(C.PERI_EINVAL, registrar:update(entry, "10.0.0.8:1", 1))
    assert.equal(0, registrar:update(entry, "10.0.0.7:1", 9))
    registrar:await_state(entry, S.REGISTERED)
    local after = cluster:read("Shop/")["Shop/10.0.0.7:1"]
    assert.equal(9, json.decode(after.value).Metadata.weight)
    assert.equal(before.lease, after.lease)
    assert.is_true(after.mod_revision > before.mod_revision)
  end)

  it("is removed only where it is still ours", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    cluster:ctl("put", "Shop/10.0.0.7:1", "another")
    assert.equal(0, (S.await(registrar:remove(entry))))
    assert.equal("another", cluster:read("Shop/")["Shop/10.0.0.7:1"].value)
  end)

  it("lets another one of the same key wait for its removal", function()
    local registrar = S.new(cluster.endpoints)
    local entry = registrar:registered("Shop", "10.0.0.7:1", 1)
    assert.same({ nil, C.PERI_EEXIST }, { registrar:add("Shop", "10.0.0.7:1") })
    local outcome = registrar:remove(entry)
    local second = assert(registrar:add("Shop", "10.0.0.7:1", true, 2))
    assert.same({ nil, C.PERI_EEXIST }, { registrar:add("Shop", "10.0.0.7:1") })
    registrar:await_state(second, S.REGISTERED)
    assert.equal(0, (S.await(outcome)))
    local record = cluster:read("Shop/")["Shop/10.0.0.7:1"]
    assert.equal(2, json.decode(record.value).Metadata.weight)
  end)

  it("gives a removal up after 2 s when etcd is frozen", function()
    local registrar = S.new(cluster.endpoints, { ttl = 30 })
    local entry = registrar:registered("Shop", "10.0.0.7:1")
    cluster:freeze()
    local code, ms = S.await(registrar:remove(entry), 4000)
    cluster:thaw()
    assert.equal(C.PERI_ETIMEOUT, code)
    assert.is_true(ms > 1800 and ms < 2600 * proc.patience, ms)
  end)

  it("registers many, a few at a time", function()
    local registrar, entries = S.new(cluster.endpoints), {}
    for i = 1, 300 do
      entries[i] = assert(registrar:add("Shop", "10.0.0.7:" .. i))
    end
    for i = 1, 300 do
      registrar:await_state(entries[i], S.REGISTERED)
    end
    local _, count = cluster:read("Shop/")
    assert.equal(300, count)
    assert.equal(300, registrar:metric("perigee_registrations"))
  end)

  it("is blocked while its value is too large, and others are not", function()
    local registrar = S.new(cluster.endpoints)
    local entry = assert(registrar:add(("x"):rep(2000000), "10.0.0.7:1"))
    registrar:await_state(entry, S.BLOCKED)
    assert.is_true(#S.reason(entry) > 0)
    assert.equal(1, registrar:metric("perigee_registration_failures_total", 'kind="too_large"'))
    registrar:registered("Shop", "10.0.0.7:1")
    assert.equal(S.BLOCKED, S.state(entry))
    assert.equal(0, (S.await(registrar:remove(entry))))
  end)
end)
