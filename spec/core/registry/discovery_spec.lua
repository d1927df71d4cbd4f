local etcd = require("spec.support.etcd")
local support = require("spec.core.registry.registry_support")

local function record(address, metadata)
  return ('{"Op":0,"Addr":"%s","Metadata":%s}'):format(address, metadata or "null")
end

describe("a service seen in etcd", function()
  local cluster, registry

  setup(function()
    cluster = etcd.start({ fast = true })
  end)

  teardown(function()
    if cluster then
      cluster:stop()
    end
  end)

  before_each(function()
    cluster:ctl("del", "--prefix", "")
  end)

  after_each(function()
    if registry then
      assert.is_true(registry:free())
      registry = nil
    end
  end)

  local function start(endpoints)
    registry = assert(support.start(support.tree(endpoints or cluster.endpoints, "127.0.0.1:7402")))
    registry:await("the first snapshot", function()
      return registry:published() > 0
    end)
    return registry
  end

  local function put(address, service, metadata)
    cluster:ctl("put", ("%s/%s"):format(service or "c", address), record(address, metadata))
  end

  it("is read and then followed", function()
    put("127.0.0.1:1", "c", '{"weight":7,"zone":"a"}')
    start()
    assert.equal("c\t127.0.0.1:1\ta\t7\t0\t0\n", registry:lines())
    put("127.0.0.2:1")
    registry:await("the second", function()
      return registry:addresses("c") == "127.0.0.1:1 127.0.0.2:1"
    end)
    put("127.0.0.2:1", "c", '{"weight":3}')
    registry:await("another weight", function()
      return registry:lines():find("127.0.0.2:1\t\t3", 1, true)
    end)
    put("127.0.0.1:7402")
    registry:await("itself", function()
      return registry:lines():find("127.0.0.1:7402\t\t1\t1\t0", 1, true)
    end)
    cluster:ctl("del", "c/127.0.0.1:1")
    registry:await("one less", function()
      return registry:addresses("c") == "127.0.0.1:7402 127.0.0.2:1"
    end)
    assert.equal("live", registry:status().services.c.state)
  end)

  it("is empty when nobody is there, and does not take longer names for its own", function()
    put("127.0.0.1:1", "cc")
    put("127.0.0.2:1", "c2/c")
    start()
    assert.equal("", registry:lines())
    assert.equal(0, registry:status().services.c.endpoints)
  end)

  it("loses only what cannot be read", function()
    put("127.0.0.1:1")
    cluster:ctl("put", "c/127.0.0.2:1", "no json")
    cluster:ctl("put", "c/" .. ("k"):rep(4000), record("127.0.0.4:1"))
    start()
    cluster:ctl("put", "c/127.0.0.3:1", '{"Op":0,"Addr":"nowhere"}')
    registry:await("both bad ones", function()
      return registry:status().services.c.invalid == 2
    end)
    assert.equal("127.0.0.1:1 127.0.0.4:1", registry:addresses("c"))
    put("127.0.0.3:1")
    registry:await("the healed one", function()
      return registry:addresses("c") == "127.0.0.1:1 127.0.0.3:1 127.0.0.4:1"
    end)
    assert.equal(1, registry:status().services.c.invalid)
  end)

  it("is known from a member without a quorum, but counts as stale", function()
    local three = etcd.start({ members = 3, fast = true })
    three:ctl("put", "c/127.0.0.1:1", record("127.0.0.1:1"))
    local one = three:leader() % 3 + 1
    for i = 1, 3 do
      if i ~= one then
        three:kill(i)
      end
    end
    registry = assert(support.start(support.tree({ three.endpoints[one] }, "127.0.0.1:7402")))
    registry:await("the first snapshot", function()
      return registry:published() > 0
    end, 20000)
    assert.equal("127.0.0.1:1", registry:addresses("c"))
    assert.equal("stale", registry:status().state)
    for i = 1, 3 do
      if i ~= one then
        three:restart(i, { wait = false })
      end
    end
    registry:await("a live watch", function()
      return registry:status().state == "live"
    end, 20000)
    assert.is_true(registry:free())
    registry = nil
    three:stop()
  end)
end)
