local uv = require("luv")
local etcd = require("spec.support.etcd")
local fake = require("spec.support.etcdfake")
local support = require("spec.core.registry.registry_support")

describe("following a service", function()
  local cluster, registry

  before_each(function()
    cluster = etcd.start({ fast = true })
    for i = 1, 6 do
      cluster:ctl("put", "c/127.0.0." .. i .. ":1", ('{"Op":0,"Addr":"127.0.0.%d:1"}'):format(i))
    end
    registry = assert(support.start(support.tree(cluster.endpoints, "127.0.0.1:7402")))
    registry:await("all six", function()
      return select(2, registry:addresses("c"):gsub("%S+", "")) == 6
    end)
  end)

  after_each(function()
    assert.is_true(registry:free())
    cluster:stop()
  end)

  it("goes on after compaction without an empty moment", function()
    cluster:kill(1)
    registry:await("trouble", function()
      return registry:status().state == "stale"
    end)
    local elsewhere = etcd.start({ fast = true })
    elsewhere:stop()
    -- While it is away from the watch: others change and compact.
    cluster:restart(1)
    cluster:ctl("del", "c/127.0.0.6:1")
    registry:await("the deletion", function()
      return registry:addresses("c") == "127.0.0.1:1 127.0.0.2:1 127.0.0.3:1 127.0.0.4:1 127.0.0.5:1"
    end)
    assert.equal("live", registry:status().state)
    local revision = registry:status().services.c.revision
    cluster:ctl("compact", revision)
    cluster:ctl("put", "c/127.0.0.7:1", '{"Op":0,"Addr":"127.0.0.7:1"}')
    registry:await("the next", function()
      return registry:addresses("c"):find("127.0.0.7:1", 1, true)
    end)
  end)

  it("notices that everything was lost, and reads again", function()
    cluster:wipe()
    cluster:ctl("put", "c/127.0.0.9:1", '{"Op":0,"Addr":"127.0.0.9:1"}')
    registry:await("the new one", function()
      return registry:addresses("c"):find("127.0.0.9:1", 1, true)
    end)
    assert.equal(1, registry:metric('perigee_registry_resyncs_total{reason="regression"}'))
    assert.equal("live", registry:status().state)
  end)
end)

describe("following a service that never has the history that is asked for", function()
  local server, registry

  setup(fake.setup)

  before_each(function()
    server = fake.start()
    server:tell({ put = { ["c/127.0.0.1:1"] = '{"Op":0,"Addr":"127.0.0.1:1"}' } })
    registry = assert(support.start(support.tree(server.endpoints, "127.0.0.1:7402")))
    registry:await("the first", function()
      return registry:addresses("c") == "127.0.0.1:1" and registry:status().state == "live"
    end)
  end)

  after_each(function()
    assert.is_true(registry:free())
    server:stop()
  end)

  --- How often it reads within three seconds.
  local function readings()
    local before, started = #server:requests("Range"), uv.hrtime()
    registry:await("three seconds", function()
      uv.run("nowait")
      return uv.hrtime() - started > 3e9
    end)
    return #server:requests("Range") - before
  end

  it("reads again at once, then less and less often", function()
    local gone = { canceled = true, compact_revision = 99 }
    server:tell({ watch = { on_create = { { created = true }, gone }, for_ever = true } })
    server:tell({ watch = { send = { gone } } })
    local count = readings()
    assert.is_true(count >= 2 and count <= 16, count)
    assert.equal("127.0.0.1:1", registry:addresses("c"))
  end)

  it("does so when it is the reading that is refused", function()
    local refused = { code = 11, message = "etcdserver: mvcc: required revision has been compacted", for_ever = true }
    server:tell({ answers = { Range = { refused } } })
    server:tell({ watch = { send = { { canceled = true, compact_revision = 99 } } } })
    local count = readings()
    assert.is_true(count >= 2 and count <= 16, count)
    assert.equal("127.0.0.1:1", registry:addresses("c"))
  end)
end)
