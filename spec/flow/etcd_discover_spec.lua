local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local partition = require("spec.support.partition")
local proc = require("spec.support.proc")

local record = discovery.record

describe("a sidecar on etcd sees", function()
  local cluster, car

  setup(function()
    discovery.setup()
    cluster = etcd.start({ fast = true })
    discovery.put(cluster, "before", "10.1.0.1:80", '{"weight":7,"zone":"b","tier":"gold"}')
    discovery.put(cluster, "before", "10.1.0.2:80")
    car = discovery.start({ endpoints = cluster.endpoints })
  end)

  teardown(discovery.teardown)

  --- Asks for a name, so that it is watched from here on.
  local function want(service, addresses)
    return car:await_peers(service, addresses)
  end

  it("what was there before it, with weight, zone and metadata", function()
    local peers = want("before", { "10.1.0.1:80", "10.1.0.2:80" })
    assert.equal(7, peers["10.1.0.1:80"].weight)
    assert.equal("b", peers["10.1.0.1:80"].zone)
    assert.equal("gold", peers["10.1.0.1:80"].metadata.tier)
    assert.equal(1, peers["10.1.0.2:80"].weight)
    assert.is_false(peers["10.1.0.1:80"].self)
  end)

  it("itself in its cluster, once it is ready", function()
    local peers = car:await_peers("GroupCache", { car.address })
    assert.is_true(peers[car.address].self)
    local told = car:services()
    assert.equal("etcd", told.kind)
    assert.equal("live", told.state)
    assert.equal("", told.trouble)
    assert.truthy(told.revision > 0)
    assert.truthy(told.lease_remaining_ms > 0 and told.lease_remaining_ms <= 5000)
    assert.truthy(told.age_ms < 2000)
    assert.equal(200, (car:ready()))
  end)

  it("each change as it happens", function()
    want("before", { "10.1.0.1:80", "10.1.0.2:80" })
    discovery.put(cluster, "before", "10.1.0.3:80")
    want("before", { "10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80" })
    cluster:ctl("del", "before/10.1.0.2:80")
    want("before", { "10.1.0.1:80", "10.1.0.3:80" })
    discovery.put(cluster, "before", "10.1.0.3:80", '{"weight":9}')
    discovery.until_true("the new weight", 2000, function()
      return car:peers("before")["10.1.0.3:80"].weight == 9
    end)
  end)

  it("several changes of one transaction at once", function()
    want("before", { "10.1.0.1:80", "10.1.0.3:80" })
    local txn = proc.run(etcd.ctl_binary, { "--endpoints", cluster.endpoints[1], "txn" }, {
      env = { ETCDCTL_API = "3" },
      input = "\n"
        .. ("put both/10.2.0.1:1 %q\nput both/10.2.0.2:1 %q\n"):format(record("10.2.0.1:1"), record("10.2.0.2:1"))
        .. "\n\n",
    })
    assert.equal(0, txn.code, txn.err)
    want("both", { "10.2.0.1:1", "10.2.0.2:1" })
  end)

  it("what expires with its lease as gone", function()
    local lease = cluster:ctl("lease", "grant", 1):match("lease (%x+)")
    discovery.put(cluster, "leased", "10.3.0.1:1", nil, lease)
    discovery.put(cluster, "leased", "10.3.0.2:1")
    discovery.put(cluster, "leased", "10.3.0.3:1")
    want("leased", { "10.3.0.1:1", "10.3.0.2:1", "10.3.0.3:1" })
    want("leased", { "10.3.0.2:1", "10.3.0.3:1" })
  end)

  it("only what lies below the service's own name", function()
    discovery.put(cluster, "orders", "10.4.0.1:1")
    discovery.put(cluster, "orders2", "10.4.0.2:1")
    discovery.put(cluster, "order", "10.4.0.3:1")
    cluster:ctl("put", "orders", record("10.4.0.4:1"))
    want("orders", { "10.4.0.1:1" })
  end)

  it("an unknown name as soon as something is registered under it", function()
    local _, count = car:peers("later")
    assert.equal(0, count)
    discovery.put(cluster, "later", "10.5.0.1:1")
    want("later", { "10.5.0.1:1" })
  end)

  it("one bad record as one endpoint less, and says so", function()
    discovery.put(cluster, "bad", "10.6.0.1:1")
    want("bad", { "10.6.0.1:1" })
    local wrong = {
      " ", "not JSON", "[]", "null", "42", '"text"', "{}", '{"Addr":""}', '{"Addr":5}', '{"Addr":"no port"}',
      '{"Addr":"10.6.0.9:99999"}', '{"Op":1,"Addr":"10.6.0.9:1"}', '{"Addr":"10.6.0.9:1","Metadata":{"weight":0}}',
      '{"Addr":"10.6.0.9:1","Metadata":{"weight":-1}}', '{"Addr":"10.6.0.9:1","Metadata":{"weight":"heavy"}}',
      '{"Addr":"10.6.0.9:1","Metadata":{"weight":1e99}}', '{"Addr":"10.6.0.9:1"', ("["):rep(20000),
      '{"Addr":"' .. ("x"):rep(70000) .. ':1"}', "\255\254\0", '{"Addr":"10.6.0.9:1\\u0000"}',
    }
    for i, value in ipairs(wrong) do
      -- Over standard input, where any byte may pass.
      local put = proc.run(etcd.ctl_binary, { "--endpoints", cluster.endpoints[1], "put", "bad/" .. i }, {
        env = { ETCDCTL_API = "3" },
        input = value,
      })
      assert.equal(0, put.code, put.err)
    end
    discovery.put(cluster, "bad", "10.6.0.2:1")
    want("bad", { "10.6.0.1:1", "10.6.0.2:1" })
    local told = car:service("bad")
    assert.equal(#wrong, told.invalid)
    assert.equal(2, told.endpoints)
    -- One of them becomes right.
    cluster:ctl("put", "bad/1", record("10.6.0.3:1"))
    want("bad", { "10.6.0.1:1", "10.6.0.2:1", "10.6.0.3:1" })
    assert.equal(#wrong - 1, car:service("bad").invalid)
    cluster:ctl("del", "--prefix", "bad/")
  end)

  it("bad records of a service that comes and goes, and does not say so each time", function()
    cluster:ctl("put", "flapping/1", "not JSON")
    for _ = 1, 4 do
      assert.equal("OK", car:register("flapping", "127.0.0.1:1", "none").code)
      discovery.until_true("the bad record", 5000, function()
        local told = car:service("flapping")
        return told and told.invalid == 1
      end)
      assert.equal("OK", car:deregister("flapping").code)
      discovery.until_true("the service's end", 5000, function()
        return not car:service("flapping")
      end)
    end
    assert.truthy(car:logged("flapping is no record of an endpoint") <= 1, car.process.err)
    cluster:ctl("del", "flapping/1")
  end)

  it("records whose keys are 4 KiB long", function()
    local key = "long/" .. ("k"):rep(4096)
    cluster:ctl("put", key, record("10.7.0.1:1"))
    discovery.put(cluster, "long", "10.7.0.2:1")
    want("long", { "10.7.0.1:1", "10.7.0.2:1" })
    cluster:ctl("del", key)
    want("long", { "10.7.0.2:1" })
  end)

  it("metadata in the shapes that other writers have", function()
    for i, metadata in ipairs({ "null", '{"weight":"3"}', '"{\\"weight\\":3}"', '"just text"', "[1,2]", "17", "true" }) do
      discovery.put(cluster, "shapes", "10.8.0." .. i .. ":1", metadata)
    end
    local peers = want("shapes", {
      "10.8.0.1:1", "10.8.0.2:1", "10.8.0.3:1", "10.8.0.4:1", "10.8.0.5:1", "10.8.0.6:1", "10.8.0.7:1",
    })
    assert.equal(3, peers["10.8.0.2:1"].weight)
    assert.equal(3, peers["10.8.0.3:1"].weight)
    assert.equal(1, peers["10.8.0.4:1"].weight)
  end)

  it("what changed while it was away, even when the history of it is compacted", function()
    local link = partition.start(cluster.endpoints[1])
    discovery.put(cluster, "gap", "10.9.0.1:1")
    discovery.put(cluster, "gap", "10.9.0.2:1")
    discovery.put(cluster, "gap", "10.9.0.3:1")
    local other = discovery.start({ endpoints = { link.url } })
    other:await_peers("gap", { "10.9.0.1:1", "10.9.0.2:1", "10.9.0.3:1" })
    local version = other:metric("perigee_snapshot_version")
    link:refuse()
    other:await_state("stale", 5000)
    cluster:ctl("del", "gap/10.9.0.2:1")
    for i = 1, 20 do
      discovery.put(cluster, "elsewhere", "10.9.1." .. i .. ":1")
    end
    discovery.put(cluster, "gap", "10.9.0.4:1")
    local revision = cluster:ctl("get", "-w", "json", "gap/10.9.0.4:1"):match('"revision":(%d+)')
    cluster:ctl("compact", revision)
    -- What was known stays, until more is known.
    local _, count = other:peers("gap")
    assert.equal(3, count)
    link:pass()
    other:await_peers("gap", { "10.9.0.1:1", "10.9.0.3:1", "10.9.0.4:1" })
    other:await_state("live", 5000)
    -- One reading, one change: no flapping.
    assert.truthy(other:metric("perigee_snapshot_version") - version <= 3)
    discovery.put(cluster, "gap", "10.9.0.5:1")
    other:await_peers("gap", { "10.9.0.1:1", "10.9.0.3:1", "10.9.0.4:1", "10.9.0.5:1" })
    other:stop()
    link:stop()
  end)

  it("services below its own prefix only", function()
    cluster:ctl("put", "/team/a/orders/10.10.0.1:1", record("10.10.0.1:1"))
    local other = discovery.start({ endpoints = cluster.endpoints, registry = 'prefix = "/team/a/"' })
    other:await_peers("orders", { "10.10.0.1:1" })
    discovery.await_key(cluster, "/team/a/GroupCache/" .. other.address)
    other:await_peers("GroupCache", { other.address })
    car:await_peers("GroupCache", { car.address })
    other:stop()
    discovery.await_key(cluster, "/team/a/GroupCache/" .. other.address, 2000, true)
  end)
end)
