local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local json = require("spec.support.json")
local proc = require("spec.support.proc")
local tools = require("spec.support.etcdtools")

describe("a sidecar registers", function()
  local cluster

  setup(function()
    discovery.setup()
    cluster = etcd.start({ fast = true })
  end)

  after_each(function()
    for _, key in ipairs({ "GroupCache/", "orders/", "asked/" }) do
      cluster:ctl("del", "--prefix", key)
    end
  end)

  teardown(discovery.teardown)

  local function start(options)
    options = options or {}
    options.endpoints = cluster.endpoints
    return discovery.start(options)
  end

  it("itself under its cluster's name, with a lease that it keeps", function()
    local car = start({ zone = "a" })
    local key = "GroupCache/" .. car.address
    local found = discovery.await_key(cluster, key)
    local value = json.decode(found.value)
    assert.equal(car.address, value.Addr)
    assert.equal(0, value.Op)
    assert.equal("a", value.Metadata.zone)
    assert.not_equal("0", found.lease)
    local lease = cluster:leases()[1]
    assert.equal("5", cluster:ctl("lease", "timetolive", lease):match("TTL%((%d+)s%)"))
    proc.watch(5500)
    local later = discovery.await_key(cluster, key)
    assert.equal(found.mod_revision, later.mod_revision)
    assert.equal(found.lease, later.lease)
    car:stop()
    discovery.await_key(cluster, key, 1000, true)
    assert.same({}, cluster:leases())
  end)

  it("an application while connections to it are taken", function()
    local application = discovery.listener()
    local car = start({ provides = ('{ service = "orders", address = %q, weight = 12, version = "1.2" }'):format(application.address) })
    local key = "orders/" .. car.address
    local value = json.decode(discovery.await_key(cluster, key).value)
    assert.equal(car.address, value.Addr)
    assert.equal(12, value.Metadata.weight)
    assert.equal("1.2", value.Metadata.version)
    application.close()
    discovery.await_key(cluster, key, 5000, true)
    assert.equal("out", car:own("orders").state)
    assert.not_equal("", car:own("orders").reason)
    application = discovery.listener(application.port)
    discovery.await_key(cluster, key, 5000)
    assert.equal("registered", car:own("orders").state)
    application.close()
    car:stop()
  end)

  it("an application while its health service says that it serves", function()
    local application = tools.start("app")
    local address = application:await("the application", function(line)
      return line.address
    end)
    application:tell({ service = "", serving = false })
    local car = start({ provides = ('{ service = "orders", address = %q, health = "grpc" }'):format(address) })
    local key = "orders/" .. car.address
    discovery.until_true("the first answer", 5000, function()
      return car:own("orders").state == "out" and car:own("orders").reason ~= ""
    end)
    assert.is_nil(cluster:read(key)[key])
    application:tell({ service = "", serving = true })
    discovery.await_key(cluster, key)
    application:tell({ service = "", serving = false })
    discovery.await_key(cluster, key, 5000, true)
    application:tell({ service = "", serving = true })
    discovery.await_key(cluster, key)
    -- Hanging is not serving.
    application.process:kill("sigstop")
    discovery.await_key(cluster, key, 8000, true)
    application.process:kill("sigcont")
    discovery.await_key(cluster, key)
    car:stop()
    application:stop()
  end)

  it("what an application asks for, and takes it out again", function()
    local application = discovery.listener()
    local car = start()
    local answer = car:register("asked", application.address)
    assert.equal("OK", answer.code, answer.message)
    local key = "asked/" .. car.address
    assert.truthy(cluster:read(key)[key])
    answer = car:deregister("asked")
    assert.equal("OK", answer.code, answer.message)
    assert.is_nil(cluster:read(key)[key])
    assert.equal("NotFound", car:deregister("asked").code)
    assert.equal("InvalidArgument", car:register("", application.address).code)
    assert.equal("InvalidArgument", car:register("asked", "nonsense").code)
    assert.equal("InvalidArgument", car:register("asked", application.address, "wild").code)
    -- One that is not up is not registered, and said to be late.
    local dead = discovery.listener()
    dead.close()
    assert.not_equal("OK", car:register("asked", dead.address).code)
    assert.is_nil(cluster:read(key)[key])
    application.close()
    car:stop()
  end)

  it("again what somebody deleted", function()
    local car = start()
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    cluster:ctl("del", key)
    local after = discovery.await_key(cluster, key, 2000)
    assert.equal(before.lease, after.lease)
    assert.equal(before.value, after.value)
    car:await_peers("GroupCache", { car.address })
    assert.truthy(car:metric("perigee_registration_conflicts_total") >= 1)
    car:stop()
  end)

  it("again what somebody wrote over", function()
    local car = start()
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    cluster:ctl("put", key, discovery.record("127.0.0.1:1"))
    discovery.until_true("the own record", 3000, function()
      local now = cluster:read(key)[key]
      return now and now.value == before.value and now.lease == before.lease
    end)
    assert.truthy(car:metric("perigee_registration_conflicts_total") >= 1)
    car:stop()
  end)

  it("again when its lease was revoked", function()
    local car = start()
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    cluster:ctl("lease", "revoke", cluster:leases()[1])
    discovery.until_true("a new lease", 3000, function()
      local now = cluster:read(key)[key]
      return now and now.lease ~= before.lease
    end)
    assert.equal(1, #cluster:leases())
    car:stop()
    assert.same({}, cluster:leases())
  end)

  it("itself after a crash, whose old lease then takes nothing along", function()
    local car = start()
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    car = car:restart()
    discovery.until_true("the own record", 3000, function()
      local now = cluster:read(key)[key]
      return now and now.lease ~= before.lease
    end)
    discovery.until_true("the end of the old lease", 12000, function()
      return #cluster:leases() == 1
    end)
    assert.truthy(cluster:read(key)[key])
    car:await_peers("GroupCache", { car.address })
    car:stop()
  end)

  it("what a reload of its configuration adds, and takes out what it drops", function()
    local application = discovery.listener()
    local car = start()
    local provides = ('{ service = "orders", address = %q }'):format(application.address)
    local with = discovery.config({ endpoints = cluster.endpoints, port = car.port, provides = provides })
    local without = discovery.config({ endpoints = cluster.endpoints, port = car.port })
    local key = "orders/" .. car.address
    proc.write(car.file, with)
    car.process:kill("sighup")
    discovery.await_key(cluster, key)
    proc.write(car.file, without)
    car.process:kill("sighup")
    discovery.await_key(cluster, key, 3000, true)
    application.close()
    car:stop()
  end)

  it("three sidecars that find one another, call one another and part", function()
    local cars = { start(), start(), start() }
    local all = { cars[1].address, cars[2].address, cars[3].address }
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", all)
    end
    local storm = discovery.storm(cars[1].app, 3)
    cars[3]:stop()
    cars[1]:await_peers("GroupCache", { all[1], all[2] }, 1000)
    cars[2]:await_peers("GroupCache", { all[1], all[2] }, 1000)
    cars[3] = discovery.start(cars[3].options)
    cars[1]:await_peers("GroupCache", all, 1000)
    local result = storm.done()
    assert.same({ OK = result.calls }, result.codes)
    -- More than one of them answered.
    local owners = 0
    for _ in pairs(result.values) do
      owners = owners + 1
    end
    assert.truthy(owners > 1, json.encode(result.values))
    for _, car in ipairs(cars) do
      car:stop()
    end
    assert.same({}, cluster:leases())
  end)
end)
