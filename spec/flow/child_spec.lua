local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

--- Says what happens to it; on SIGTERM asks its sidecar for a value and etcd for its record.
local SCRIPT = [[
say() { echo "app: $*"; }
asked() {
  say "asked to end"
  say "value: $("$PERI_BINARY" get --target "$PERIGEE_APP_ADDRESS" g k)"
  say "record: $(etcdctl --endpoints "$PERI_ETCD" get --keys-only "orders/" | tr '\n' ' ')"
  say "done"
  exit 5
}
trap asked TERM
say "runs"
while :; do sleep 0.02; done
]]

describe("an application that serve runs", function()
  local cluster, port, started

  setup(discovery.setup)

  before_each(function()
    cluster = etcd.start({ fast = true })
    port = proc.free_port()
    started = nil
  end)

  after_each(function()
    local pid = started and started.process.err:match("as process (%d+)")
    if pid and not started.process.code then
      os.execute("kill -9 " .. pid)
    end
    discovery.reset()
  end)

  teardown(discovery.teardown)

  local function start()
    started = discovery.start({
      endpoints = cluster.endpoints,
      drain = "15s",
      provides = ('{ service = "orders", address = "127.0.0.1:%d" }'):format(port),
      args = { "--", "/bin/sh", "-c", SCRIPT },
      env = { PERI_BINARY = sidecar.binary, PERI_ETCD = cluster.endpoints[1], ETCDCTL_API = "3" },
    })
    return started, "orders/" .. started.address
  end

  it("is registered when it is healthy, and taken out before it is asked to end", function()
    local car, key = start()
    car.process:await_out("app: runs")
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    assert.is_nil(cluster:read(key)[key])
    local listener = discovery.listener(port)
    discovery.await_key(cluster, key)
    assert.truthy(cluster:read(key)[key].value:find('"protocol":"perigee"', 1, true))

    car.process:kill("sigterm")
    discovery.await_key(cluster, key, 20000, true)
    assert.is_nil(car.process.out:find("asked to end", 1, true))
    assert.equal(5, (car.process:wait()))
    local told = car.process.out:match("(app: asked.*)$")
    assert.equal(("app: asked to end\napp: value: from %d\napp: record: \napp: done\n"):format(car.port), told)
    assert.same({}, cluster:leases())
    listener.close()
  end)

  it("takes its record along when it dies", function()
    local listener = discovery.listener(port)
    local car, key = start()
    discovery.await_key(cluster, key)
    car.process:await_out("app: runs")
    os.execute("kill -9 " .. car.process.err:match("as process (%d+)"))
    assert.equal(137, (car.process:wait()))
    assert.is_nil(cluster:read(key)[key])
    assert.same({}, cluster:leases())
    listener.close()
  end)

  it("hears of the end only when what others asked is answered", function()
    local origin = sidecar.origin()
    started = sidecar.start(
      ([[return { workers = 1, drain = "20s", node = { address = "127.0.0.1:9" },
        listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false },
        groups = { g = {}, slow = { fallback = { "http_origin", url = "http://%s/slow/1500/{key}", timeout = "30s" } } } }]]):format(origin.address),
      { args = { "--", "/bin/sh", "-c", SCRIPT }, env = { PERI_BINARY = sidecar.binary, PERI_ETCD = cluster.endpoints[1] } }
    )
    local car = started
    car.process:await_out("app: runs")
    local call = proc.start(sidecar.client_binary, {
      "call", "-target", car.mesh, "-group", "slow", "-key", "k", "-metadata", "perigee-hop=1",
    })
    proc.await("the load", 20000, function()
      return origin.counts()["/slow/1500/k"]
    end)
    local began = discovery.now()
    car.process:kill("sigterm")
    car.process:await_out("asked to end")
    assert.is_true(discovery.now() - began > 1000, discovery.now() - began)
    call:wait()
    assert.truthy(call.out:find('"OK"', 1, true), call.out .. call.err)
    assert.equal(5, (car.process:wait()))
    origin.process:destroy()
  end)
end)
