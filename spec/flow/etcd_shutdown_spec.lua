local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local partition = require("spec.support.partition")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local tools = require("spec.support.etcdtools")

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("a sidecar that stops", function()
  local cluster

  setup(discovery.setup)

  before_each(function()
    cluster = etcd.start({ fast = true })
  end)

  after_each(discovery.reset)

  teardown(discovery.teardown)

  local function start(options)
    options = options or {}
    options.endpoints = cluster.endpoints
    local car = discovery.start(options)
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    return car
  end

  it("is not ready first, then leaves etcd, waits for others to see it, and only then closes", function()
    local car = start()
    local other = start()
    car:await_peers("GroupCache", { car.address, other.address })
    local key = "GroupCache/" .. car.address
    car.process:kill("sigterm")
    local began = discovery.now()
    local away
    discovery.until_true("the key to be gone", 2000, function()
      away = not cluster:read(key)[key]
      return away
    end)
    local key_gone = discovery.now() - began
    -- It still answers: others may not know yet.
    assert.is_nil(car.process.code)
    local status, body = car:ready()
    assert.equal(503, status)
    assert.truthy(body:find("drain", 1, true), body)
    assert.equal("OK", sidecar.call(car.app, { verb = "get", group = "g", key = "k" }).code)
    assert.equal("OK", sidecar.call(car.mesh, { verb = "get", group = "g", key = "k", metadata = "perigee-hop=1" }).code)
    other:await_peers("GroupCache", { other.address }, 1000)
    assert.equal(0, (car.process:wait()))
    assert.truthy(key_gone < 500, key_gone)
    assert.equal(1, #cluster:leases())
    other:stop()
    assert.same({}, cluster:leases())
  end)

  it("loses no call of others", function()
    local cars = { start(), start(), start() }
    for _, car in ipairs(cars) do
      car:await_peers("GroupCache", { cars[1].address, cars[2].address, cars[3].address })
    end
    local storm = discovery.storm(cars[1].app, 5)
    for i = 2, 3 do
      cars[i]:stop()
      cars[1]:await_peers("GroupCache", i == 2 and { cars[1].address, cars[3].address } or { cars[1].address })
    end
    local result = storm.done()
    assert.same({ OK = result.calls }, result.codes)
    assert.equal(0, cars[1]:metric("perigee_cache_loads_total", 'source="fallback"'))
  end)

  it("while etcd is frozen, stops within its limit, and its key goes with the lease", function()
    local car = start({ drain = "2s" })
    local key = "GroupCache/" .. car.address
    cluster:freeze()
    local began = discovery.now()
    car:stop(10000)
    local took = discovery.now() - began
    assert.truthy(took <= 3000 * proc.patience, took)
    cluster:thaw()
    discovery.await_key(cluster, key, 12000, true)
    discovery.until_true("no lease", 8000, function()
      return #cluster:leases() == 0
    end)
  end)

  it("while etcd is gone, stops within its limit", function()
    local car = start({ drain = "2s" })
    cluster:kill()
    local began = discovery.now()
    car:stop(10000)
    assert.truthy(discovery.now() - began <= 3000 * proc.patience, discovery.now() - began)
  end)

  it("before it ever reached etcd, stops at once", function()
    cluster:kill()
    local process = discovery.launch({ endpoints = cluster.endpoints })
    proc.watch(500)
    process:kill("sigterm")
    local began = discovery.now()
    assert.equal(0, (process:wait()))
    assert.truthy(discovery.now() - began <= 2500, discovery.now() - began)
  end)

  it("hears of changes until its very end", function()
    local link = partition.start(cluster.endpoints[1])
    discovery.put(cluster, "orders", "127.0.0.1:1")
    local flood = tools.start("flood", "-endpoints", cluster.endpoints[1], "-service", "orders", "-rate", "300")
    for _ = 1, 3 do
      local car = discovery.start({ endpoints = { link.url }, drain = "300ms" })
      discovery.until_true("the first endpoint", 5000, function()
        return car:peers("orders")
      end)
      -- What it asks of etcd last takes long enough for others to change something.
      link:delay(100)
      car:stop()
      link:pass()
    end
    flood:stop()
    link:stop()
  end)

  it("by a second signal, stops at once", function()
    local car = start({ drain = "10s" })
    cluster:freeze()
    car.process:kill("sigterm")
    proc.watch(100)
    car.process:kill("sigterm")
    local began = discovery.now()
    car.process:wait()
    assert.truthy(discovery.now() - began <= 1000, discovery.now() - began)
  end)

  it("leaves a record alone that is no longer its own", function()
    local car = start()
    local key = "GroupCache/" .. car.address
    cluster:freeze()
    car.process:kill("sigstop")
    cluster:thaw()
    -- Its twin, which took over the same name while it could not look.
    local lease = cluster:ctl("lease", "grant", 60):match("lease (%x+)")
    discovery.put(cluster, "GroupCache", car.address, '{"twin":true}', lease)
    car.process:kill("sigterm")
    car.process:kill("sigcont")
    car.process:wait()
    local found = cluster:read(key)[key]
    assert.truthy(found)
    assert.truthy(found.value:find("twin", 1, true))
  end)
end)
