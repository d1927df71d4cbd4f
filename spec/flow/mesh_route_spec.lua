local discovery = require("spec.support.discovery")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

describe("routes of forwarded calls", function()
  local apps, car = {}, nil

  setup(function()
    mesh.setup()
    for _, name in ipairs({ "red", "green", "blue", "grey" }) do
      apps[name] = mesh.app(name)
    end
    local services = { red = { apps.red.address }, green = { apps.green.address } }
    services["meshtest.Nobody"] = {}
    services["echo.example"] = { apps.blue.address }
    services["meshtest.Echo"] = { apps.grey.address }
    services.dead = { "127.0.0.1:1", "127.0.0.1:2" }
    local routes = ([[routes = {
      { match = { header = { ["x-colour"] = "green" } }, to = "green" },
      { match = { header = { ["x-colour"] = { prefix = "gre" } } }, to = "grey-nobody" },
      { match = { header = { ["x-colour"] = { pattern = "^b%l" } } }, to = { address = "BLUE" } },
      { match = { header = { ["x-any"] = { present = true }, ["x-both"] = "1" } }, to = "green" },
      { match = { authority = "red.*" }, to = "red" },
      { match = { service = "meshtest.Echo", method = "Down" }, to = { addresses = { "RED", "GREEN" } }, balancer = { "round_robin" } },
      { match = { method = "Up*" }, to = { { service = "red", weight = 9 }, { service = "green", weight = 1 } } },
      { match = { header = { ["x-dead"] = { present = true } } }, to = "dead" },
      { match = { header = { ["x-slow"] = "1" } }, to = "red", timeout = "2s" },
    },]]):gsub("%u%u%u+", function(name)
      return apps[name:lower()].address
    end)
    car = mesh.car(mesh.static(services, true) .. routes)
  end)
  teardown(function()
    car:stop()
    mesh.teardown()
  end)

  --- Who answers a call.
  local function who(options)
    return mesh.ok(car.app, options).name
  end

  --- What a call that fails ends with.
  local function why(options)
    local seen = mesh.call(car.app, options)
    return seen.code, seen.message
  end

  it("match a header: exact, by prefix, by pattern, present", function()
    assert.equal("green", who({ header = "x-colour=green" }))
    assert.equal("blue", who({ header = "x-colour=bluish" }))
    assert.equal("grey", who({ header = "x-colour=Green" }))
    assert.equal("grey", who({ header = "x-colour=ablue" }))
    assert.equal("green", who({ header = "x-any=,x-both=1" }))
    assert.equal("grey", who({ header = "x-any=1" }))
    assert.equal("grey", who({ header = "x-both=1" }))
    local code, words = why({ header = "x-colour=grell" })
    assert.equal("Unavailable", code)
    assert.equal("grey-nobody: no endpoint is known", words)
  end)

  it("match the authority", function()
    assert.equal("red", who({ authority = "red.test:80" }))
    assert.equal("grey", who({ authority = "green.test" }))
  end)

  it("balance fixed addresses, for a method", function()
    local names = mesh.ok(car.app, { method = "Down", times = 40 }).names
    assert.same({ ["red:OK"] = 20, ["green:OK"] = 20 }, names)
  end)

  it("split by weight", function()
    local names = mesh.ok(car.app, { method = "Up", times = 400 }).names
    assert.equal(400, names["red:OK"] + names["green:OK"])
    -- 40 expected, 6 the deviation.
    assert.is_true(names["green:OK"] >= 10 and names["green:OK"] <= 70, names["green:OK"])
  end)

  it("set a limit, which a shorter deadline undercuts", function()
    local seen = mesh.ok(car.app, { header = "x-slow=1", timeout = 0 })
    assert.is_true(seen.left_ms > 0 and seen.left_ms <= 2000, seen.left_ms)
    seen = mesh.ok(car.app, { header = "x-slow=1", timeout = "1s" })
    assert.is_true(seen.left_ms > 0 and seen.left_ms <= 1000, seen.left_ms)
    seen = mesh.call(car.app, { header = "x-slow=1", timeout = 0, delay = 60000 })
    assert.equal("DeadlineExceeded", seen.code)
    assert.is_true(seen.millis >= 1990 and seen.millis < 15000 * proc.patience, seen.millis)
  end)

  it("give way to perigee-service, which is not passed on", function()
    local seen = mesh.ok(car.app, { header = "perigee-service=red,x-colour=green" })
    assert.equal("red", seen.name)
    assert.is_nil(seen.asked["perigee-service"])
    local code, words = why({ header = "perigee-service=void" })
    assert.equal("Unavailable", code)
    assert.equal("void: no endpoint is known", words)
  end)

  it("are followed by the authority, then the gRPC service", function()
    assert.equal("blue", who({ authority = "echo.example" }))
    assert.equal("blue", who({ authority = "echo.example:443" }))
    assert.equal("grey", who({}))
  end)

  it("ignore a hop that an application claims", function()
    assert.equal("grey", who({ header = "perigee-hop=1" }))
    assert.is_nil(mesh.ok(car.app, { header = "perigee-hop=1" }).asked["perigee-hop"])
  end)

  it("say what was tried when nothing can be reached", function()
    local code, words = why({ header = "x-dead=1" })
    assert.equal("Unavailable", code)
    assert.truthy(words:find("^dead: 127%.0%.0%.1:[12]: .*connect"), words)
    assert.is_true(car:metric("perigee_proxy_retries_total", 'reason="connect"') >= 1)
  end)
end)

describe("a call for which there is nothing", function()
  local app, inner, outer
  setup(function()
    mesh.setup()
    app = mesh.app("one")
    inner = mesh.provider("echo", app.address)
    outer = mesh.car(mesh.static({ echo = { inner.mesh }, other = { inner.mesh } }))
  end)
  teardown(function()
    outer:stop()
    inner:stop()
    mesh.teardown()
  end)

  it("is unimplemented, in words, without a route", function()
    local seen = mesh.call(outer.app)
    assert.equal("Unimplemented", seen.code)
    assert.truthy(seen.message:find("no route for /meshtest.Echo/One", 1, true), seen.message)
    assert.truthy(seen.message:find(outer.app, 1, true), seen.message)
    assert.truthy(seen.message:find('"meshtest.Echo"', 1, true), seen.message)
  end)

  it("does not wait for a name that a static registry cannot learn", function()
    -- A name that may come is waited for for a second. Once is enough: a busy
    -- machine can make any call late.
    local codes = {}
    for i = 1, 10 do
      codes[i] = mesh.call(outer.app, { timeout = "900ms", header = "perigee-service=nobody-" .. i }).code
      if codes[i] == "Unavailable" then
        return
      end
    end
    error(table.concat(codes, " "))
  end)

  it("is unimplemented, in words and counted, where the service is not provided", function()
    local seen = mesh.call(outer.app, { header = "perigee-service=other" })
    assert.equal("Unimplemented", seen.code)
    assert.equal("other: no such service is provided here", seen.message)
    assert.equal(1, inner:metric("perigee_proxy_not_provided_total"))
    assert.equal("one", mesh.ok(outer.app, { header = "perigee-service=echo" }).name)
  end)

  it("never goes on from the mesh to another sidecar", function()
    local port = proc.free_port()
    local through = mesh.car(
      mesh.static({ echo = { inner.mesh } }) .. 'routes = { { match = {}, to = "echo" } },',
      ('mesh = "127.0.0.1:%d"'):format(port)
    )
    assert.equal("one", mesh.ok(through.app).name)
    local seen = mesh.call(through.mesh, { header = "perigee-hop=1,perigee-service=echo" })
    assert.equal("Unimplemented", seen.code)
    assert.equal("echo: no such service is provided here", seen.message)
    through:stop()
  end)

  it("is unavailable at once when the application has died, and well when it is back", function()
    local echo = { header = "perigee-service=echo" }
    app.process:destroy()
    for _, method in ipairs({ "One", "Up", "Down", "Both" }) do
      local seen = mesh.call(outer.app, { header = "perigee-service=echo", method = method })
      assert.equal("Unavailable", seen.code)
      assert.truthy(seen.message:find("echo: " .. app.address, 1, true), seen.message)
      assert.is_true(seen.millis < 5000 * proc.patience, seen.millis)
    end
    app = app:restart()
    discovery.until_true("the end of the backoff", 20000, function()
      local seen = mesh.call(outer.app, echo)
      assert.truthy(seen.code == "OK" or seen.code == "Unavailable", seen.code)
      return seen.code == "OK"
    end)
  end)

  it("ends as unavailable when the application dies under it, before and after its headers", function()
    for _, method in ipairs({ "One", "Down" }) do
      local seen = mesh.call(outer.app, { header = "perigee-service=echo", method = method, act = "die" })
      assert.equal("Unavailable", seen.code)
      assert.truthy(seen.message:find("^echo: "), seen.message)
      app = app:restart()
      discovery.until_true("it to be back", 20000, function()
        return mesh.call(outer.app, { header = "perigee-service=echo" }).code == "OK"
      end)
    end
  end)
end)
