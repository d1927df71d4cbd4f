local discovery = require("spec.support.discovery")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local either = discovery.either

describe("for a long time", function()
  local origin, ports, cars

  local function config(self)
    return ([[
      return {
        workers = 2,
        node = { address = "127.0.0.1:SELF" },
        listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:SELF", admin = "127.0.0.1:0" },
        registry = { kind = "static", services = { GroupCache = {
          { address = "127.0.0.1:PORT1" }, { address = "127.0.0.1:PORT2" }, { address = "127.0.0.1:PORT3" } } } },
        groups = { g = { bytes = "4MiB", ttl = "200ms", peer_timeout = "1s",
          fallback = { "http_origin", url = "http://ORIGIN/value/{key}", timeout = "20s", connect_timeout = "20s" } } },
      }
    ]]):gsub("SELF", self):gsub("PORT(%d)", function(i)
      return ports[tonumber(i)]
    end):gsub("ORIGIN", origin.address)
  end

  local function resident(car)
    local file = assert(io.open("/proc/" .. car.process.pid .. "/status"))
    local kib = file:read("*a"):match("VmRSS:%s+(%d+)")
    file:close()
    return tonumber(kib)
  end

  setup(function()
    sidecar.setup()
    origin = sidecar.origin()
    ports = { proc.free_port(), proc.free_port(), proc.free_port() }
    cars = {}
    for i = 1, 3 do
      cars[i] = sidecar.start((config(ports[i])))
    end
  end)

  teardown(sidecar.teardown)

  it("no call fails while a peer is killed and comes back, again and again", function()
    local seconds = either(600, 8)
    local storm = proc.start(sidecar.client_binary, {
      "storm", "-target", cars[1].app .. "," .. cars[2].app, "-group", "g", "-key", "k", "-keys", "500",
      "-for", seconds .. "s", "-timeout", "20s",
    })
    local kills = 0
    while not storm.code do
      proc.watch(either(500, 300))
      cars[3].process:destroy()
      kills = kills + 1
      proc.watch(either(500, 300))
      cars[3] = sidecar.start((config(ports[3])))
    end
    storm:wait()
    local result = require("spec.support.json").decode(storm.out)
    assert.truthy(kills >= 2)
    assert.same({}, (function()
      result.codes.OK = nil
      return result.codes
    end)(), storm.out)
    assert.truthy(result.calls > 100 * seconds)
  end)

  it("memory does not grow", function()
    local function churn(seconds)
      sidecar.client({
        "storm", "-target", cars[1].app, "-group", "g", "-key", "churn", "-keys", "20000",
        "-for", seconds .. "s", "-timeout", "20s",
      }, (seconds + 60) * 1000)
    end
    churn(either(60, 3))
    local before = resident(cars[1])
    churn(either(300, 5))
    local after = resident(cars[1])
    assert.truthy(after < before * 1.3 + 4096, ("%d KiB, then %d KiB"):format(before, after))
  end)
end)
