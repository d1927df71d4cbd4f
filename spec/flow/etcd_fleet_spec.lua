local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local either = discovery.either

describe("among many sidecars", function()
  local cluster

  setup(discovery.setup)

  before_each(function()
    cluster = etcd.start({ fast = true })
  end)

  after_each(discovery.reset)

  teardown(discovery.teardown)

  local function start(count, options)
    local cars, addresses = {}, {}
    for i = 1, count do
      options = options or {}
      cars[i] = discovery.start({ endpoints = cluster.endpoints, workers = 1, provides = options.provides })
      addresses[i] = cars[i].address
    end
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", addresses)
    end
    return cars, addresses
  end

  it("one that slept for longer than its lease comes back within 2 s", function()
    local cars, addresses = start(4)
    local key = "GroupCache/" .. addresses[1]
    cars[1].process:kill("sigstop")
    discovery.await_key(cluster, key, 12000, true)
    cars[2]:await_peers("GroupCache", { addresses[2], addresses[3], addresses[4] }, 3000)
    cars[1].process:kill("sigcont")
    local began = discovery.now()
    discovery.await_key(cluster, key, 5000)
    assert.truthy(discovery.now() - began <= 2000, discovery.now() - began)
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", addresses)
    end
    assert.equal(4, #cluster:leases())
  end)

  it("all are registered again within 2 s after the data were lost, and leave together", function()
    local cars, addresses = start(either(30, 8))
    cluster:wipe()
    local began = discovery.now()
    discovery.until_true("all records", 10000, function()
      return select(2, cluster:read("GroupCache/")) == #cars
    end)
    assert.truthy(discovery.now() - began <= 2000, discovery.now() - began)
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", addresses, 5000)
      discovery.until_true("no suspects", 5000, function()
        return car:service("GroupCache").suspects == 0
      end)
    end
    for _, car in ipairs(cars) do
      car.process:kill("sigterm")
    end
    for _, car in ipairs(cars) do
      assert.equal(0, (car.process:wait(20000)))
    end
    assert.equal(0, select(2, cluster:read("")))
    assert.same({}, cluster:leases())
  end)

  it("twins that claim one address do not chase one another", function()
    local provides = '{ service = "orders", address = "127.0.0.1:1", health = "none" }'
    local cars = start(1, { provides = provides })
    local text = discovery.config({ endpoints = cluster.endpoints, port = cars[1].port, provides = provides })
    local twin = sidecar.start((text:gsub('mesh = "[^"]+"', 'mesh = "127.0.0.1:0"')))
    local function revision()
      return tonumber(cluster:ctl("get", "-w", "json", "none"):match('"revision":(%d+)'))
    end
    discovery.until_true("the conflict to be noticed", 5000, function()
      return cars[1]:metric("perigee_registration_conflicts_total") + twin:metric("perigee_registration_conflicts_total") > 0
    end)
    local before = revision()
    proc.watch(3000)
    assert.truthy(revision() - before <= 12, revision() - before)
    assert.truthy(cars[1]:logged("overwritten") + select(2, twin.process.err:gsub("overwritten", "")) <= 4)
  end)

  it("names that nobody registers cost little and are bounded", function()
    local cars = start(1)
    local car = cars[1]
    for _, name in ipairs({ "a/b", "..", "a b", "%s%n", "\255\254" }) do
      assert.equal(0, car:cli("services", name).code)
    end
    for _, name in ipairs({ "/", "a/", "/a", ("x"):rep(5000) }) do
      assert.equal(1, car:cli("services", name).code)
    end
    -- Those that turned out to be nobody's make room for the next.
    for i = 1, 300 do
      local run = car:cli("services", "name" .. i)
      assert.equal(0, run.code, run.err)
    end
    assert.truthy(#car:services().services <= 260)
    -- What is configured is not crowded out.
    assert.equal("live", car:service("GroupCache").state)
    car:stop()
  end)
end)
