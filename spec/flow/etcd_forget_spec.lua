local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local service = "meshtest.Echo"

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("a service that only calls name", function()
  local cluster, car, app

  setup(function()
    mesh.setup()
    cluster = etcd.start({ fast = true })
    app = mesh.app("a")
    discovery.put(cluster, service, app.address)
    -- Nothing else than looking a name up reads from etcd meanwhile.
    car = discovery.start({ endpoints = cluster.endpoints, registry = 'forget = "1s", audit = "1m"' })
  end)

  teardown(mesh.teardown)

  local function reads()
    return car:metric("perigee_etcd_calls_total", 'method="Range"')
  end

  it("is known for as long as it is called", function()
    local storm = mesh.storm(car.app, { pause = "20ms" })
    storm:await("a:OK")
    local before = reads()
    proc.watch(4000)
    assert.equal(before, reads())
    assert.truthy(car:service(service))
    local seen = storm:done()
    assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
  end)

  it("is forgotten when nobody calls it", function()
    discovery.until_true("that it is forgotten", 10000, function()
      return not car:service(service)
    end)
    mesh.ok(car.app)
    assert.truthy(car:service(service))
  end)

  it("is not forgotten while etcd cannot be asked", function()
    mesh.ok(car.app)
    cluster:kill()
    car:await_state("stale", 5000)
    proc.watch(3000)
    mesh.ok(car.app)
    cluster:restart()
    car:await_state("live", 5000)
    discovery.until_true("that it is forgotten", 10000, function()
      return not car:service(service)
    end)
  end)
end)
