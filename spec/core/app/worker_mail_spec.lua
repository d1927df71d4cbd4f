local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("what workers are sent", function()
  setup(function()
    sidecar.setup()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function config(services)
    return ([[return {
      workers = 3,
      listen = { app = "127.0.0.1:0", mesh = false, admin = "127.0.0.1:0" },
      registry = { kind = "static", services = { %s } },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]]):format(services)
  end

  it("reaches each of them: connections and snapshots", function()
    local car = sidecar.start(config('orders = { { address = "127.0.0.1:1" } }'))
    local storm = sidecar.client({ "storm", "-target", car.app, "-conns", "12", "-group", "g", "-key", "k", "-n", "500" })
    assert.same({ OK = 500 }, storm.codes)
    proc.write(car.file, config('orders = { { address = "127.0.0.1:2" } }'))
    car.process:await_err("took over the configuration")
    -- Each call may be answered by another worker.
    for _ = 1, 6 do
      assert.truthy(car:cli("peers", "orders").out:find("127.0.0.1:2", 1, true))
    end
    car:stop()
  end)

  it("is closed when it comes too late", function()
    local car = sidecar.start(config(""))
    local held = {}
    for i = 1, 10 do
      held[i] = proc.connect(car.app)
    end
    car.process:kill("sigterm")
    for _, socket in ipairs(held) do
      socket.await("an end", function()
        return socket.closed
      end)
      socket.close()
    end
    assert.equal(0, (car.process:wait()))
  end)
end)
