local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local workers = 8

-- With every end of a connection, at most the calls that were on it are lost.
local lost = { "^echo: %S+: closed$", "^echo: the connection was lost while the answer came$" }

--- Every call ended well, or as one may that was at an instance which died.
local function assert_lost_at_most(count, seen)
  local bad = 0
  for words, times in pairs(seen.messages) do
    local known = false
    for _, pattern in ipairs(lost) do
      known = known or words:find(pattern) ~= nil
    end
    assert(known, words)
    bad = bad + times
  end
  assert.equal(seen.calls, (seen.codes.OK or 0) + (seen.codes.Unavailable or 0))
  assert.is_true(bad <= count, bad)
end

describe("applications that come and go under load", function()
  local apps, car

  setup(mesh.setup)
  teardown(mesh.teardown)

  before_each(function()
    apps = { mesh.app("a"), mesh.app("b") }
    car = mesh.car(
      mesh.static({ echo = { apps[1].address, apps[2].address } }, true)
        .. [[drain = "1s", routes = {
          { match = { header = { ["x-turn"] = { present = true } } }, to = "echo", balancer = { "round_robin" } },
          { match = {}, to = "echo" },
        },]]
    )
  end)
  after_each(function()
    car:stop()
    proc.destroy_all()
  end)

  local function storm(options)
    options = options or {}
    options.workers = workers
    local running = mesh.storm(car.app, options)
    running:await("a:OK")
    running:await("b:OK")
    return running
  end

  it("are killed: what was there is lost, the rest goes elsewhere, and they are used again", function()
    local running = storm({ delay = 5 })
    for _ = 1, 2 do
      apps[1].process:destroy()
      proc.watch(300)
      apps[1] = mesh.app("a2", apps[1].address)
      discovery.until_true("calls at the new one", 30000, function()
        return apps[1].process.out:find("got", 1, true)
      end)
    end
    local seen = running:done()
    assert_lost_at_most(2 * workers, seen)
    assert.is_true(seen.names.a2 > 0)
    assert.equal(0, car:metric("perigee_proxy_inflight"))
  end)

  it("are killed in the middle of streams, each of which ends with a status", function()
    local running = storm({ method = "Both", asks = 20, delay = 5 })
    apps[1].process:destroy()
    proc.watch(300)
    local seen = running:done()
    assert_lost_at_most(workers, seen)
    assert.is_true((seen.codes.Unavailable or 0) >= 1)
  end)

  it("stop as grpc-go does, and no call fails", function()
    for _, method in ipairs({ "One", "Both" }) do
      local running = storm({ delay = 5, method = method, asks = 5 })
      for _ = 1, 3 do
        apps[1].process:kill("sigterm")
        apps[1].process:wait()
        apps[1] = mesh.app("a", apps[1].address)
        discovery.until_true("calls at the new one", 30000, function()
          return apps[1].process.out:find("got", 1, true)
        end)
      end
      local seen = running:done()
      assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
    end
  end)

  it("freeze: calls there end with their deadline, no other does, and all is well afterwards", function()
    local running = storm({ delay = 5, timeout = "400ms" })
    apps[1].process:kill("sigstop")
    running:await(":DeadlineExceeded")
    proc.watch(500)
    apps[1].process:kill("sigcont")
    local seen = running:done()
    assert.equal(seen.calls, seen.codes.OK + seen.codes.DeadlineExceeded, next(seen.messages))
    assert.is_true(seen.slowest < 10000 * proc.patience, seen.slowest)
    local after = storm({ delay = 5, header = "x-turn=1" }):done()
    assert.same({ OK = after.calls }, after.codes)
  end)

  it("are all gone: every call says so at once, and is answered again after their return", function()
    local running = storm({ delay = 5, pause = "5ms" })
    apps[1].process:destroy()
    apps[2].process:destroy()
    running:await(":Unavailable")
    proc.watch(200)
    apps = { mesh.app("c", apps[1].address), mesh.app("d", apps[2].address) }
    running:await("c:OK")
    running:await("d:OK")
    local seen = running:done()
    assert.equal(seen.calls, seen.codes.OK + seen.codes.Unavailable, next(seen.messages))
    for words in pairs(seen.messages) do
      assert.truthy(words:find("^echo: "), words)
    end
    assert.is_true(seen.slowest < 10000 * proc.patience, seen.slowest)
  end)
end)

describe("instances that etcd knows", function()
  local cluster, caller, instances

  setup(mesh.setup)
  teardown(mesh.teardown)

  local function addresses()
    local list = {}
    for i, each in ipairs(instances) do
      list[i] = each.car.address
    end
    return list
  end

  local function start_car(app, port)
    return discovery.start({
      endpoints = cluster.endpoints,
      port = port,
      workers = 1,
      ttl = "5s",
      drain = "15s",
      provides = ('{ service = "echo", address = %q, health = "grpc" }'):format(app.address),
    })
  end

  before_each(function()
    cluster = etcd.start({ fast = true })
    instances = {}
    for i = 1, 3 do
      local app = mesh.app("i" .. i)
      instances[i] = { app = app, car = start_car(app) }
    end
    caller = discovery.start({
      endpoints = cluster.endpoints,
      ttl = "5s",
      extra = 'routes = { { match = { service = "meshtest.*" }, to = "echo" } }',
    })
    caller:await_peers("echo", addresses())
  end)
  after_each(discovery.reset)

  local function storm(options)
    options.workers = workers
    local running = mesh.storm(caller.app, options)
    for i = 1, 3 do
      running:await(("i%d:OK"):format(i))
    end
    return running
  end

  it("are restarted one after another, and no call fails", function()
    local unary = storm({ delay = 3 })
    local streams = storm({ method = "Both", asks = 10, delay = 10 })
    for i, each in ipairs(instances) do
      each.car:stop()
      each.app.process:kill("sigterm")
      each.app.process:wait()
      each.app = mesh.app("n" .. i, each.app.address)
      each.car = start_car(each.app, each.car.port)
      caller:await_peers("echo", addresses())
      unary:await(("n%d:OK"):format(i))
      streams:await(("n%d:OK"):format(i))
    end
    for _, running in ipairs({ unary, streams }) do
      local seen = running:done()
      assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
    end
  end)

  it("are killed with their sidecars, and leave", function()
    local running = storm({ delay = 5 })
    instances[1].car.process:destroy()
    instances[1].app.process:destroy()
    table.remove(instances, 1)
    caller:await_peers("echo", addresses(), 12000)
    local seen = running:done()
    assert_lost_at_most(workers, seen)
  end)

  it("lose their application, and are left alone until it is back", function()
    local running = storm({ delay = 5, pause = "2ms" })
    local first = instances[1]
    first.app.process:destroy()
    running:await(":Unavailable")
    discovery.await_key(cluster, "echo/" .. first.car.address, 12000, true)
    first.app = mesh.app("back", first.app.address)
    running:await("back:OK", 20000)
    local seen = running:done()
    assert.equal(seen.calls, seen.codes.OK + seen.codes.Unavailable, next(seen.messages))
    for words in pairs(seen.messages) do
      assert.truthy(words:find("^echo: "), words)
    end
  end)

  it("freeze with their sidecars: calls there end with their deadline, and none when they are gone", function()
    local running = storm({ delay = 5, timeout = "500ms" })
    instances[1].car.process:kill("sigstop")
    running:await(":DeadlineExceeded")
    local frozen = table.remove(instances, 1)
    caller:await_peers("echo", addresses(), 12000)
    local seen = running:done()
    assert.equal(seen.calls, seen.codes.OK + seen.codes.DeadlineExceeded + (seen.codes.Unavailable or 0))
    -- The slower the others, the sooner it is forgotten how slow this one was.
    local after = mesh.storm(caller.app, { workers = workers, delay = 20 })
    after:await("i2:OK")
    after:await("i3:OK")
    frozen.car.process:kill("sigcont")
    instances[3] = frozen
    caller:await_peers("echo", addresses(), 12000)
    after:await("i1:OK", 60000)
    seen = after:done()
    assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
  end)
end)
