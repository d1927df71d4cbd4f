local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("workers", function()
  setup(function()
    sidecar.setup()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function config(workers, group)
    return ([[return {
      workers = %d,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      groups = { g = { %s } },
    }]]):format(workers, group)
  end

  it("are as many as configured, share one cache and serve many connections", function()
    local car = sidecar.start(config(4, 'fallback = { "static_reply", value = "v" }'))
    assert.equal(4, car:metric("perigee_workers"))
    local storm = sidecar.client({ "storm", "-target", car.app, "-conns", "16", "-group", "g", "-key", "k", "-n", "2000" })
    assert.same({ OK = 2000 }, storm.codes)
    assert.equal(1, car:metric("perigee_cache_loads_total", 'source="origin",result="ok"'))
    car:stop()
  end)

  it("that cannot load a policy stop the start", function()
    local process = sidecar.launch(config(3, 'fallback = { "no_such_policy" }'))
    assert.equal(2, (process:wait()))
    assert.truthy(process.err:find("no_such_policy", 1, true), process.err)
    assert.truthy(process.err:find("perigee%-%d+%.lua: groups%.g%.fallback: "), process.err)
    assert.equal("", process.out)
  end)

  it("close connections that come while they drain", function()
    local car = sidecar.start(config(2, ""))
    local sockets = {}
    for i = 1, 20 do
      sockets[i] = proc.connect(car.app)
    end
    car:stop()
    for i = 1, 20 do
      sockets[i].await("an end", function()
        return sockets[i].closed
      end)
      sockets[i].close()
    end
  end)
end)
