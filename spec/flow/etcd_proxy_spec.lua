local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

-- It numbers watches by itself, answers no probes, and renewals only when it renews.
describe("a sidecar behind etcd's own grpc-proxy", function()
  local cluster, car

  setup(function()
    discovery.setup()
    cluster = etcd.start({ fast = true })
    local address = "127.0.0.1:" .. proc.free_port()
    local between = proc.start("/usr/bin/setpriv", {
      "--pdeathsig", "KILL", "--", etcd.binary,
      "grpc-proxy", "start", "--endpoints", cluster.endpoints[1], "--listen-addr", address,
    })
    between:await_err("started gRPC proxy", 10000)
    car = discovery.start({
      endpoints = { "http://" .. address },
      registry = 'audit = "2s"',
      provides = '{ service = "orders", address = "127.0.0.1:1", health = "none" }',
    })
  end)

  teardown(discovery.teardown)

  it("is registered, and stays so", function()
    local keys = { "GroupCache/" .. car.address, "orders/" .. car.address }
    local before = {}
    for i, key in ipairs(keys) do
      before[i] = discovery.await_key(cluster, key)
    end
    proc.watch(6000)
    for i, key in ipairs(keys) do
      local after = cluster:read(key)[key]
      assert.equal(before[i].lease, after.lease)
      assert.equal(before[i].mod_revision, after.mod_revision)
    end
    assert.equal(1, #cluster:leases())
  end)

  it("sees what comes and goes, in each of its services", function()
    car:await_peers("GroupCache", { car.address })
    car:await_peers("orders", { car.address })
    for i = 1, 3 do
      local address = ("10.9.9.%d:1"):format(i)
      discovery.put(cluster, "orders", address)
      car:await_peers("orders", { car.address, address })
      cluster:ctl("del", "orders/" .. address)
      car:await_peers("orders", { car.address })
    end
    car:await_peers("GroupCache", { car.address })
  end)

  it("leaves nothing behind", function()
    car:stop()
    assert.equal(0, select(2, cluster:read("")))
    assert.same({}, cluster:leases())
  end)
end)
