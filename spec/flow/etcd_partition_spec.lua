local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local partition = require("spec.support.partition")
local proc = require("spec.support.proc")

local either = discovery.either

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("a sidecar behind a network that", function()
  local cluster, links, car

  setup(discovery.setup)

  --- A cluster whose members are each behind a link of their own.
  local function begin(members)
    cluster = etcd.start({ fast = true, members = members })
    links = {}
    local urls = {}
    for i, endpoint in ipairs(cluster.endpoints) do
      links[i] = partition.start(endpoint)
      urls[i] = links[i].url
    end
    discovery.put(cluster, "orders", "127.0.0.1:1")
    car = discovery.start({ endpoints = urls })
    car:await_peers("orders", { "127.0.0.1:1" })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
  end

  after_each(discovery.reset)

  teardown(discovery.teardown)

  --- The link through which it asks now; the member behind it does not lead.
  local function current()
    local endpoint = car:services().endpoint
    for i, link in ipairs(links) do
      if endpoint:find(link.address, 1, true) then
        cluster:lead(i % 3 + 1)
        return link
      end
    end
    error("no link leads to " .. endpoint)
  end

  --- What is put arrives soon, and nothing is missed; `service` is seen from the beginning.
  local function arrives(name, limit_ms)
    discovery.put(cluster, "orders", name)
    local began = discovery.now()
    discovery.until_true(name, limit_ms, function()
      local peers = car:peers("orders")
      return peers and peers[name]
    end)
    return discovery.now() - began
  end

  for _, how in ipairs({ "blackhole", "halfopen", "refuse" }) do
    it("lets one of three members vanish (" .. how .. "), it moves on within 1.5 s", function()
      begin(3)
      local key = "GroupCache/" .. car.address
      local before = discovery.await_key(cluster, key)
      local link = current()
      link[how](link)
      local took = arrives("127.0.0.2:1", 4000)
      assert.truthy(took <= 1900, took)
      -- Longer than the lease lives by itself, once.
      proc.watch(how == "blackhole" and 5500 or 500)
      local after = cluster:read(key)[key]
      assert.equal(before.lease, after.lease)
      assert.equal(before.mod_revision, after.mod_revision)
      link:pass()
      arrives("127.0.0.3:1", 2000)
    end)
  end

  it("is cut for longer than a lease, it registers again within 2 s", function()
    begin(1)
    local key = "GroupCache/" .. car.address
    links[1]:blackhole()
    car:await_state("stale", 3000)
    discovery.await_key(cluster, key, 12000, true)
    cluster:ctl("del", "orders/127.0.0.1:1")
    discovery.put(cluster, "orders", "127.0.0.2:1")
    assert.equal(1, select(2, car:peers("orders")))
    links[1]:pass()
    local began = discovery.now()
    discovery.await_key(cluster, key, 3000)
    assert.truthy(discovery.now() - began <= 2000)
    car:await_peers("orders", { "127.0.0.2:1" }, 3000)
    discovery.until_true("one lease", 10000, function()
      return #cluster:leases() == 1
    end)
  end)

  it("is slow, nothing changes but the time it takes", function()
    begin(1)
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    links[1]:delay(150)
    for i = 2, 4 do
      assert.truthy(arrives("127.0.0." .. i .. ":1", 3000) <= 1000)
    end
    proc.watch(5500)
    assert.equal("live", car:services().state)
    assert.equal(before.lease, cluster:read(key)[key].lease)
  end)

  it("cuts answers short, it asks again until one is whole", function()
    begin(1)
    for i = 1, either(200, 20) do
      links[1]:truncate(i * 13)
      proc.watch(50)
    end
    links[1]:pass()
    arrives("127.0.0.2:1", 5000)
    car:await_state("live", 5000)
    car:await_peers("orders", { "127.0.0.1:1", "127.0.0.2:1" })
    local key = "GroupCache/" .. car.address
    assert.truthy(discovery.await_key(cluster, key, 3000))
  end)

  it("resets connections again and again, it misses nothing", function()
    begin(1)
    local want = { "127.0.0.1:1" }
    for i = 2, either(300, 20) do
      local address = ("10.0.%d.%d:1"):format(math.floor(i / 200), i % 200 + 1)
      discovery.put(cluster, "orders", address)
      want[#want + 1] = address
      if i % 3 == 0 then
        links[1]:reset()
      end
    end
    car:await_peers("orders", want, 5000)
    assert.equal("live", car:await_state("live", 3000).state)
  end)

  it("is fine and idle, no connection is told to go away", function()
    begin(1)
    local _, came = links[1]:pass()
    local failures = car:metric("perigee_etcd_endpoint_failures_total")
    local revision = car:services().revision
    proc.watch(either(600000, 4000))
    -- What is told to go away comes back over another connection.
    assert.equal(came, select(2, links[1]:pass()))
    -- A busy machine may be late now and then in ten minutes, which ends no connection.
    assert.truthy(car:metric("perigee_etcd_endpoint_failures_total") - failures <= either(5, 0))
    assert.truthy(car:services().revision >= revision)
    assert.equal("live", car:services().state)
    assert.truthy(car:logged("GOAWAY") == 0)
  end)
end)
