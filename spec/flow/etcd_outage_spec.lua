local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local partition = require("spec.support.partition")
local proc = require("spec.support.proc")

local either = discovery.either

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("when etcd", function()
  local cluster, cars, living

  setup(discovery.setup)

  --- Two sidecars, and a service of three endpoints that answer.
  local function begin(options, ttl)
    cluster = etcd.start(options or { fast = true })
    living = { discovery.listener(), discovery.listener(), discovery.listener() }
    for _, each in ipairs(living) do
      discovery.put(cluster, "orders", each.address)
    end
    cars = {
      discovery.start({ endpoints = cluster.endpoints, ttl = ttl }),
      discovery.start({ endpoints = cluster.endpoints, ttl = ttl }),
    }
  end

  after_each(function()
    for _, each in ipairs(living) do
      each.close()
    end
    discovery.reset()
  end)

  teardown(discovery.teardown)

  local function orders()
    return { living[1].address, living[2].address, living[3].address }
  end

  local function both()
    return { cars[1].address, cars[2].address }
  end

  local function await_all(limit_ms)
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", both(), limit_ms)
      car:await_peers("orders", orders(), limit_ms)
    end
  end

  --- The leases of both sidecars' own records.
  local function leases()
    local found = cluster:read("GroupCache/")
    return (found["GroupCache/" .. cars[1].address] or {}).lease, (found["GroupCache/" .. cars[2].address] or {}).lease
  end

  --- Milliseconds until both sidecars are registered, under leases other than these if given.
  local function registered_again(limit_ms, old1, old2)
    local started = discovery.now()
    discovery.until_true("both registrations", limit_ms, function()
      local now1, now2 = leases()
      return now1 and now2 and now1 ~= old1 and now2 ~= old2
    end)
    return discovery.now() - started
  end

  --- Looks at both sidecars' endpoints without a pause while `work` runs; fails when one is missing.
  local function none_missing(ms)
    local stop = discovery.now() + ms
    while discovery.now() < stop do
      for _, car in ipairs(cars) do
        local _, peers = car:peers("GroupCache")
        local _, count = car:peers("orders")
        assert.equal(2, peers)
        assert.equal(3, count)
      end
    end
  end

  it("restarts quickly, the same leases go on", function()
    begin()
    await_all()
    local one, two = leases()
    cluster:restart()
    for _, car in ipairs(cars) do
      car:await_state("live", 5000)
    end
    none_missing(5200)
    local now1, now2 = leases()
    assert.equal(one, now1)
    assert.equal(two, now2)
    assert.equal(2, #cluster:leases())
  end)

  it("is away for longer than a lease, what is known stays, and all is registered again within 2 s", function()
    begin()
    await_all()
    local away = either(600, 7)
    -- Nobody calls this one: what it uses is what the outage costs.
    local idle = discovery.start({ endpoints = cluster.endpoints, extra = 'cluster = "idle",' })
    local storm = discovery.storm(cars[1].app, away + 4)
    local one, two = leases()
    cluster:kill()
    for _, car in ipairs(cars) do
      local told = car:await_state("stale", 3000)
      assert.not_equal("", told.trouble)
      assert.equal(200, (car:ready()))
    end
    idle:await_state("stale", 3000)
    local before, watched = idle:cpu(), discovery.now()
    proc.watch(away * 1000)
    local share = (idle:cpu() - before) / (discovery.now() - watched) * 1000
    none_missing(200)
    assert.truthy(share < 0.01, ("an outage costs %.2f %% of a processor"):format(share * 100))
    for _, car in ipairs(cars) do
      assert.truthy(car:services().age_ms >= away * 1000)
      assert.truthy(car:logged("etcd") <= 3 + away / 10 * 3, car.process.err)
    end
    cluster:restart()
    local took = registered_again(2000)
    assert.truthy(took <= 2000, took)
    for _, car in ipairs(cars) do
      car:await_state("live", 3000)
    end
    none_missing(500)
    local now1, now2 = leases()
    discovery.until_true("no lease but three", 10000, function()
      return #cluster:leases() == 3
    end)
    assert.truthy(one and two and now1 and now2)
    local result = storm.done()
    assert.same({ OK = result.calls }, result.codes)
  end)

  it("comes back without any data, all is registered again within 2 s and what lives is kept", function()
    begin()
    await_all()
    local one, two = leases()
    cluster:wipe()
    local took = registered_again(2000, one, two)
    assert.truthy(took <= 2000, took)
    -- Nobody puts these again, but they answer.
    for _, car in ipairs(cars) do
      discovery.until_true("suspects", 5000, function()
        local told = car:service("orders")
        return told.suspects == 3 and told.endpoints == 3
      end)
      car:await_peers("GroupCache", both())
      assert.is_true(car:peers("orders")[living[1].address].suspect)
    end
    living[1].close()
    for _, car in ipairs(cars) do
      car:await_peers("orders", { living[2].address, living[3].address }, 10000)
    end
    -- What is put again is suspected no longer.
    discovery.put(cluster, "orders", living[2].address)
    for _, car in ipairs(cars) do
      discovery.until_true("one suspect less", 3000, function()
        return car:service("orders").suspects == 1
      end)
    end
  end)

  it("comes back without its data and with more changes than before, that is noticed", function()
    begin()
    local link = partition.start(cluster.endpoints[1])
    discovery.put(cluster, "orders", "127.0.0.1:1")
    local known = { living[1].address, living[2].address, living[3].address, "127.0.0.1:1" }
    local car = discovery.start({ endpoints = { link.url } })
    car:await_peers("orders", known)
    link:refuse()
    cluster:wipe()
    -- As many records as before, the newest of them seen by the watch that goes on.
    discovery.put(cluster, "orders", "127.0.0.2:1")
    discovery.put(cluster, "orders", living[2].address)
    discovery.put(cluster, "orders", living[1].address)
    for i = 1, 30 do
      cluster:ctl("put", "noise", i)
    end
    discovery.put(cluster, "orders", "127.0.0.3:1")
    link:pass()
    discovery.until_true("all that there is now", 5000, function()
      local peers = car:peers("orders")
      return peers["127.0.0.2:1"] and peers["127.0.0.3:1"] and peers[living[1].address]
    end)
    -- What is not there any more goes, unless it answers.
    discovery.until_true("what does not answer to be gone", 5000, function()
      return not car:peers("orders")["127.0.0.1:1"]
    end)
  end)

  it("comes back with older data, that is noticed", function()
    begin()
    await_all()
    for i = 1, 30 do
      cluster:ctl("put", "noise", i)
    end
    local saved = cluster.folder .. "/older"
    cluster:ctl("snapshot", "save", saved)
    for i = 1, 30 do
      cluster:ctl("put", "noise", i)
    end
    discovery.put(cluster, "orders", "127.0.0.1:2")
    cars[1]:await_peers("orders", { living[1].address, living[2].address, living[3].address, "127.0.0.1:2" })
    cluster:kill()
    local member = cluster.members[1]
    os.execute(("rm -rf '%s/data'"):format(member.folder))
    local peer = ("http://127.0.0.1:%d"):format(member.peer)
    local restored = proc.run(etcd.ctl_binary, {
      "snapshot", "restore", saved, "--data-dir", member.folder .. "/data", "--name", member.name,
      "--initial-cluster", member.name .. "=" .. peer, "--initial-advertise-peer-urls", peer,
      "--initial-cluster-token", cluster.folder,
    }, { env = { ETCDCTL_API = "3" } })
    assert.equal(0, restored.code, restored.err)
    cluster:restart()
    registered_again(3000)
    -- Nothing listens on the one that the older data do not have.
    for _, car in ipairs(cars) do
      car:await_peers("orders", orders(), 5000)
      car:await_peers("GroupCache", both(), 5000)
    end
    discovery.put(cluster, "orders", "127.0.0.1:3")
    cars[1]:await_peers("orders", { living[1].address, living[2].address, living[3].address, "127.0.0.1:3" }, 2000)
  end)

  it("freezes for less than a lease, nothing is lost", function()
    begin(nil, "20s")
    await_all()
    local one, two = leases()
    cluster:freeze()
    for _, car in ipairs(cars) do
      car:await_state("stale", 3000)
    end
    none_missing(500)
    cluster:thaw()
    for _, car in ipairs(cars) do
      car:await_state("live", 3000)
    end
    none_missing(500)
    local now1, now2 = leases()
    assert.equal(one, now1)
    assert.equal(two, now2)
  end)

  it("freezes for longer than every lease, all is registered within 2 s of its thaw and nobody missed", function()
    begin()
    await_all()
    local one, two = leases()
    cluster:freeze()
    for _, car in ipairs(cars) do
      discovery.until_true("the end of the lease", 12000, function()
        return car:services().lease_remaining_ms <= 0
      end)
    end
    none_missing(1000)
    -- It ends all leases in the moment that it wakes up.
    cluster:thaw()
    local took = registered_again(2000, one, two)
    assert.truthy(took <= 2000, took)
    none_missing(500)
    discovery.until_true("no lease but two", 10000, function()
      return #cluster:leases() == 2
    end)
  end)

  it("freezes on one member of three, its watchers move on within 1.5 s and miss nothing", function()
    begin({ members = 3, fast = true })
    await_all()
    local told = cars[1]:services()
    local index
    for i, endpoint in ipairs(cluster.endpoints) do
      index = endpoint:find(told.endpoint, 1, true) and i or index
    end
    assert.truthy(index, told.endpoint)
    -- Not the leader, whose absence the writer below would have to wait out.
    cluster:lead(index % 3 + 1)
    cluster:freeze(index)
    local frozen = discovery.now()
    discovery.put(cluster, "orders", "127.0.0.1:1")
    discovery.put(cluster, "orders", "127.0.0.2:1")
    cluster:ctl("del", "orders/127.0.0.1:1")
    cars[1]:await_peers("orders", { living[1].address, living[2].address, living[3].address, "127.0.0.2:1" }, 4000)
    assert.truthy(discovery.now() - frozen <= 1900, discovery.now() - frozen)
    cluster:thaw(index)
    cluster:ctl("del", "orders/127.0.0.2:1")
    await_all(2000)
  end)

  it("loses its quorum, what is known stays, and its return is noticed", function()
    begin({ members = 3, fast = true })
    await_all()
    local one, two = leases()
    cluster:kill(1)
    cluster:kill(2)
    for _, car in ipairs(cars) do
      car:await_state("stale", 8000)
    end
    none_missing(1000)
    local before = cars[1]:cpu()
    proc.watch(1000)
    assert.truthy(cars[1]:cpu() - before <= 0.05, cars[1]:cpu() - before)
    cluster:restart(1)
    cluster:restart(2)
    for _, car in ipairs(cars) do
      car:await_state("live", 5000)
    end
    assert.truthy(registered_again(3000) <= 2000)
    none_missing(500)
    -- Leases begin anew with a new leader, so these are the same ones.
    local now1, now2 = leases()
    assert.truthy(one == now1 and two == now2)
  end)

  it("is not there when a sidecar starts, it starts once etcd is", function()
    begin()
    cluster:kill()
    local options = { endpoints = cluster.endpoints }
    local process = discovery.launch(options)
    proc.watch(1500)
    assert.is_nil(process.out:match("perigee ready"))
    assert.is_nil(process.code)
    cluster:restart()
    process:await_out("perigee ready", 3000)
    discovery.await_key(cluster, "GroupCache/127.0.0.1:" .. options.port)
  end)
end)
