local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")

describe("endpoints that vanish together", function()
  local cluster, car, living

  setup(discovery.setup)

  before_each(function()
    cluster = etcd.start({ fast = true })
    living = {}
    for i = 1, 6 do
      living[i] = discovery.listener()
    end
    car = discovery.start({ endpoints = cluster.endpoints })
  end)

  after_each(function()
    for _, each in ipairs(living) do
      each.close()
    end
    discovery.reset()
  end)

  teardown(discovery.teardown)

  local function addresses(from, to)
    local list = {}
    for i = from, to do
      list[#list + 1] = living[i].address
    end
    return list
  end

  it("because etcd was frozen for longer than their leases are held while they answer", function()
    local lease = cluster:ctl("lease", "grant", 2):match("lease (%x+)")
    for _, each in ipairs(living) do
      discovery.put(cluster, "orders", each.address, nil, lease)
    end
    car:await_peers("orders", addresses(1, 6))
    cluster:freeze()
    proc.watch(3000)
    cluster:thaw()
    discovery.until_true("suspects", 5000, function()
      return car:service("orders").suspects == 6
    end)
    local storm = discovery.now() + 1000
    while discovery.now() < storm do
      assert.equal(6, select(2, car:peers("orders")))
    end
    -- One of them is really gone.
    living[6].close()
    car:await_peers("orders", addresses(1, 5), 10000)
    -- One of them registers again.
    discovery.put(cluster, "orders", living[1].address)
    discovery.until_true("four suspects", 3000, function()
      return car:service("orders").suspects == 4
    end)
    assert.is_false(car:peers("orders")[living[1].address].suspect)
    assert.is_true(car:peers("orders")[living[2].address].suspect)
  end)

  it("one after the other within 2 s are held too, also the first of them", function()
    for i = 1, 4 do
      discovery.put(cluster, "orders", living[i].address)
    end
    car:await_peers("orders", addresses(1, 4))
    for i = 1, 3 do
      cluster:ctl("del", "orders/" .. living[i].address)
    end
    discovery.until_true("suspects", 2000, function()
      local told = car:service("orders")
      return told.suspects == 3 and told.endpoints == 4
    end)
  end)

  it("but are fewer than half, or one alone, are gone at once", function()
    for i = 1, 6 do
      discovery.put(cluster, "orders", living[i].address)
    end
    discovery.put(cluster, "single", living[1].address)
    car:await_peers("orders", addresses(1, 6))
    car:await_peers("single", { living[1].address })
    cluster:ctl("del", "orders/" .. living[1].address)
    cluster:ctl("del", "orders/" .. living[2].address)
    car:await_peers("orders", addresses(3, 6), 1000)
    cluster:ctl("del", "single/" .. living[1].address)
    car:await_peers("single", {}, 1000)
  end)

  it("and do not answer are gone soon", function()
    for i = 1, 4 do
      discovery.put(cluster, "orders", living[i].address)
    end
    car:await_peers("orders", addresses(1, 4))
    for i = 1, 4 do
      living[i].close()
    end
    cluster:ctl("del", "--prefix", "orders/")
    car:await_peers("orders", {}, 5000)
  end)

  it("are shown as such", function()
    for i = 1, 2 do
      discovery.put(cluster, "orders", living[i].address)
    end
    car:await_peers("orders", addresses(1, 2))
    cluster:ctl("del", "--prefix", "orders/")
    discovery.until_true("suspects", 2000, function()
      return car:service("orders").suspects == 2
    end)
    local table_of_services = car:cli("services").out
    local table_of_peers = car:cli("peers", "orders").out
    assert.truthy(table_of_services:match("orders +live +2 +2 "), table_of_services)
    assert.truthy(table_of_peers:find("suspect", 1, true), table_of_peers)
  end)

  it("and were taken out by their sidecars, which stopped, are gone", function()
    local others = {}
    for i = 1, 3 do
      others[i] = discovery.start({ endpoints = cluster.endpoints })
    end
    car:await_peers("GroupCache", { car.address, others[1].address, others[2].address, others[3].address })
    for i = 1, 3 do
      others[i].process:kill("sigterm")
    end
    for i = 1, 3 do
      assert.equal(0, (others[i].process:wait()))
    end
    car:await_peers("GroupCache", { car.address }, 5000)
  end)
end)
