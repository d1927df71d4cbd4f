local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local tools = require("spec.support.etcdtools")

describe("etcd's own Go client and a sidecar", function()
  local cluster, car

  setup(function()
    discovery.setup()
    cluster = etcd.start({ fast = true })
    car = discovery.start({
      endpoints = cluster.endpoints,
      zone = "a",
      provides = '{ service = "orders", address = "127.0.0.1:1", health = "none", weight = 4, metadata = { tier = "gold" } }',
    })
  end)

  teardown(discovery.teardown)

  it("agree on a record that the sidecar wrote", function()
    local resolver = tools.start("resolve", "-endpoints", cluster.endpoints[1], "-service", "orders")
    local found = resolver:await("an address", function(line)
      return line.addresses and line.addresses[1]
    end)
    assert.equal(car.address, found.address)
    assert.equal("a", found.metadata.zone)
    assert.equal(4, found.metadata.weight)
    assert.equal("gold", found.metadata.tier)
    resolver:stop()
  end)

  it("agree on a record that the Go client wrote, and on its end", function()
    local function register(address, metadata)
      local tool = tools.start("register", "-endpoints", cluster.endpoints[1], "-service", "orders", "-address", address, "-metadata", metadata)
      tool:await("the registration", function(line)
        return line.registered
      end)
      return tool
    end
    local plain = register("127.0.0.1:80", "null")
    local rich = register("127.0.0.2:80", '{"weight":3,"zone":"z"}')
    local peers = car:await_peers("orders", { car.address, "127.0.0.1:80", "127.0.0.2:80" }, 1000)
    assert.equal(1, peers["127.0.0.1:80"].weight)
    assert.equal(3, peers["127.0.0.2:80"].weight)
    assert.equal("z", peers["127.0.0.2:80"].zone)
    plain.process:hang_up()
    assert.equal(0, (plain.process:wait()))
    car:await_peers("orders", { car.address, "127.0.0.2:80" }, 1000)
    rich:stop()
  end)

  it("see each other's withdrawal", function()
    local resolver = tools.start("resolve", "-endpoints", cluster.endpoints[1], "-service", "orders")
    local function held(line)
      for _, each in ipairs(line.addresses or {}) do
        if each.address == car.address then
          return true
        end
      end
      return false
    end
    resolver:await("the sidecar", held)
    car:stop()
    resolver:await("the sidecar gone", function(line)
      return line.addresses and not held(line)
    end, 10000, #resolver.lines + 1)
    resolver:stop()
  end)
end)
