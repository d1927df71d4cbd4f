local discovery = require("spec.support.discovery")
local etcdfake = require("spec.support.etcdfake")
local proc = require("spec.support.proc")

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("a sidecar whose etcd does what newer and broken ones do:", function()
  local fake, car

  setup(discovery.setup)

  before_each(function()
    fake = etcdfake.start()
    fake:tell({ put = { ["orders/10.0.0.1:1"] = discovery.record("10.0.0.1:1") } })
    car = discovery.start({ endpoints = fake.endpoints })
    car:await_peers("orders", { "10.0.0.1:1" })
    discovery.until_true("a live watch", 5000, function()
      return car:service("orders").state == "live"
    end)
  end)

  after_each(function()
    car.process:destroy()
    fake:stop()
  end)

  teardown(discovery.teardown)

  --- The number of the watch of a service on the stream that there is.
  local function watch_of(service)
    local number
    for _, request in ipairs(fake:requests("WatchCreate")) do
      number = request.key == service .. "/" and tonumber(request.watch_id) or number
    end
    return assert(number, "no watch of " .. service)
  end

  local function event(address, mod)
    return { key = "orders/" .. address, value = discovery.record(address), mod = mod }
  end

  --- Says something to the watch of `orders`; every watch plays it, so all of it comes twice.
  local function say(steps)
    for _, step in ipairs(steps) do
      step.watch_id = watch_of("orders")
    end
    fake:tell({ watch = { send = steps } })
  end

  --- Puts without telling any watch, and returns the revision.
  local function put_in_silence(...)
    local put = {}
    for _, address in ipairs({ ... }) do
      put["orders/" .. address] = discovery.record(address)
    end
    return tonumber(fake:tell({ watch = { mute = true }, put = put }).revision)
  end

  it("what comes in fragments is whole, and complete", function()
    local last = put_in_silence("10.0.0.2:1", "10.0.0.3:1")
    say({
      { fragment = true, events = { event("10.0.0.2:1", last - 1) } },
      { fragment = true, events = { event("10.0.0.3:1", last) } },
    })
    proc.watch(300)
    assert.equal(1, select(2, car:peers("orders")))
    say({ { events = {} } })
    car:await_peers("orders", { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" })
  end)

  it("what comes again, late or out of order changes nothing", function()
    local last = put_in_silence("10.0.0.2:1", "10.0.0.3:1")
    say({ { events = { event("10.0.0.3:1", last), event("10.0.0.2:1", last - 1) } } })
    local peers = car:await_peers("orders", { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" })
    local version = car:metric("perigee_snapshot_version")
    say({
      { events = { event("10.0.0.2:1", last - 1), event("10.0.0.3:1", last) } },
      { events = { { key = "orders/10.0.0.1:1", delete = true, mod = 1 }, event("10.0.0.9:1", 1) } },
    })
    proc.watch(500)
    assert.same(peers, car:peers("orders"))
    assert.equal(version, car:metric("perigee_snapshot_version"))
  end)

  it("a watch that is created and cancelled at once is asked for again", function()
    fake:tell({ watch = { on_create = { { created = true, canceled = true, watch_id = -1, reason = "etcdserver: no leader" } } } })
    fake:tell({ put = { ["later/10.0.0.1:1"] = discovery.record("10.0.0.1:1") } })
    car:await_peers("later", { "10.0.0.1:1" })
    fake:tell({ put = { ["later/10.0.0.2:1"] = discovery.record("10.0.0.2:1") } })
    car:await_peers("later", { "10.0.0.1:1", "10.0.0.2:1" })
    assert.equal("live", car:service("orders").state)
  end)

  it("after GOAWAY another connection goes on", function()
    local conns = fake:counts().conns
    fake:tell({ goaway = { code = 11, debug = "too_many_pings", close = true } })
    fake:tell({ put = { ["orders/10.0.0.2:1"] = discovery.record("10.0.0.2:1") } })
    car:await_peers("orders", { "10.0.0.1:1", "10.0.0.2:1" })
    assert.truthy(fake:counts().conns > conns)
  end)

  it("a store that fell back behind what was seen, and is silent about it, is read anew", function()
    fake:tell({ revision = 100 })
    fake:tell({ put = { ["orders/10.0.0.2:1"] = discovery.record("10.0.0.2:1") } })
    car:await_peers("orders", { "10.0.0.1:1", "10.0.0.2:1" })
    fake:tell({ wipe = true, put = { ["orders/10.0.0.3:1"] = discovery.record("10.0.0.3:1") } })
    fake:tell({ reset = true })
    discovery.until_true("the new one", 5000, function()
      return car:peers("orders")["10.0.0.3:1"]
    end)
    assert.truthy(car:metric("perigee_registry_resyncs_total", 'reason="regression"') >= 1)
    -- Itself is in it again.
    discovery.until_true("the own registration", 5000, function()
      local own = car:own("GroupCache")
      return own and own.state == "registered" and car:peers("GroupCache")[car.address]
    end)
  end)
end)
