local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("reading the configuration again", function()
  local car

  local function config(services, more)
    return ([[return {
      workers = %s,
      node = { address = "127.0.0.1:1" },
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0", mesh = "127.0.0.1:0" },
      registry = { kind = "static", services = { GroupCache = { %s } } },
      groups = { g = {} },
    }]]):format(more or "1", services)
  end

  before_each(function()
    sidecar.folder = proc.folder()
    car = sidecar.start(config('{ address = "127.0.0.1:1" }'))
  end)

  after_each(function()
    car:stop()
    sidecar.teardown()
  end)

  local function reloads(result)
    return car:metric("perigee_config_reloads_total", ('result="%s"'):format(result))
  end

  it("takes changed services, on a signal or without one", function()
    proc.write(car.file, config('{ address = "127.0.0.1:1" }, { address = "127.0.0.1:2" }'))
    car.process:await_err("the services have changed %(version 2%)")
    assert.truthy(car:cli("peers").out:find("127.0.0.1:2", 1, true))
    local before = reloads("taken")
    car.process:kill("sighup")
    car.process:await_err("the services are the same %(version 2%)")
    proc.await("the count", 5000, function()
      return reloads("taken") > before
    end)
    assert.equal(2, car:metric("perigee_snapshot_version"))
    assert.equal(0, reloads("refused"))
  end)

  it("keeps what it knows when the file is wrong, and says why", function()
    for text, words in pairs({ ["return {"] = "perigee%-%d+%.lua:1:", ["return { grops = {} }"] = "did you mean \"groups\"" }) do
      proc.write(car.file, text)
      car.process:kill("sighup")
      car.process:await_err(words)
    end
    os.remove(car.file)
    proc.await("the third refusal", 10000, function()
      return reloads("refused") >= 3
    end)
    assert.truthy(car:cli("peers").out:find("127.0.0.1:1", 1, true))
  end)

  it("names what needs a restart", function()
    proc.write(car.file, config('{ address = "127.0.0.1:1" }', "2"))
    car.process:await_err("what changed in workers takes effect after a restart")
  end)
end)
