local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")

local either = discovery.either

describe("random kills", function()
  local cluster, cars

  setup(function()
    discovery.setup()
    cluster = etcd.start({ members = 3, fast = true })
    cars = {}
    for i = 1, 3 do
      cars[i] = discovery.start({
        endpoints = cluster.endpoints,
        provides = '{ service = "orders", address = "127.0.0.1:1", health = "none" }',
      })
    end
  end)

  teardown(discovery.teardown)

  local function addresses()
    return { cars[1].address, cars[2].address, cars[3].address }
  end

  --- What etcd holds is what there is, and what every sidecar knows is what etcd holds.
  local function converged(limit_ms)
    for _, service in ipairs({ "GroupCache", "orders" }) do
      discovery.until_true("three records of " .. service, limit_ms, function()
        local found, count = cluster:read(service .. "/")
        for _, address in ipairs(addresses()) do
          if not found[service .. "/" .. address] then
            return false
          end
        end
        return count == 3
      end)
      for _, car in ipairs(cars) do
        car:await_peers(service, addresses(), limit_ms)
      end
    end
  end

  it("of etcd's members and of sidecars leak no lease and leave nobody with a wrong list", function()
    converged(5000)
    local kills, round = either(1000, 6), 0
    while round < kills do
      local killed
      if math.random() < 0.6 then
        killed = math.random(3)
        cluster:kill(killed)
        if math.random() < 0.2 then
          cluster:kill(killed % 3 + 1)
        end
      else
        local i = math.random(3)
        cars[i] = cars[i]:restart()
      end
      round = round + 1
      proc.watch(math.random(0, 400))
      for i, member in ipairs(cluster.members) do
        if not member.process then
          cluster:restart(i, { wait = false })
        end
      end
      assert.truthy(cluster:await_healthy())
      -- 5 s after there is a quorum again.
      converged(5000)
    end
    for _, car in ipairs(cars) do
      car:await_state("live", 5000)
    end
    -- Leases of killed sidecars end with their time; those of living ones are three.
    discovery.until_true("three leases", 15000, function()
      return #cluster:leases() == 3
    end)
    for _, car in ipairs(cars) do
      car:stop()
    end
    assert.same({}, cluster:leases())
    assert.equal(0, select(2, cluster:read("")))
  end)
end)
