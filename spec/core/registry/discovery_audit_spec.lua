local uv = require("luv")
local fake = require("spec.support.etcdfake")
local support = require("spec.core.registry.registry_support")

describe("the audit of a service", function()
  local server, registry

  setup(fake.setup)

  before_each(function()
    server = fake.start()
    server:tell({ put = { ["c/127.0.0.1:1"] = '{"Op":0,"Addr":"127.0.0.1:1"}' } })
    registry = assert(support.start(support.tree(server.endpoints, "127.0.0.1:7402", {}, { audit = "500ms" })))
    registry:await("the first", function()
      return registry:addresses("c") == "127.0.0.1:1" and registry:status().state == "live"
    end)
  end)

  after_each(function()
    assert.is_true(registry:free())
    server:stop()
  end)

  local function resyncs(reason)
    return registry:metric(('perigee_registry_resyncs_total{reason="%s"}'):format(reason)) or 0
  end

  it("finds nothing when nothing is wrong", function()
    local before = #server:requests("Range")
    registry:await("three audits", function()
      uv.run("nowait")
      return #server:requests("Range") >= before + 3
    end, 8000)
    assert.equal(0, resyncs("audit"))
    assert.equal(1, registry:published())
  end)

  it("finds a change that no event told of, and one that was lost", function()
    server:tell({ watch = { mute = true } })
    server:tell({ put = { ["c/127.0.0.2:1"] = '{"Op":0,"Addr":"127.0.0.2:1"}' } })
    registry:await("the second", function()
      return registry:addresses("c") == "127.0.0.1:1 127.0.0.2:1"
    end, 8000)
    assert.equal(1, resyncs("audit"))
    server:tell({ watch = { mute = true } })
    server:tell({ delete = { "c/127.0.0.1:1" } })
    registry:await("one less", function()
      return registry:addresses("c") == "127.0.0.2:1"
    end, 8000)
    assert.equal(2, resyncs("audit"))
  end)

  it("takes place although the watch is found silent again and again", function()
    assert.is_true(registry:free())
    -- Streams live for 1.2 s each: less than it takes to the next audit.
    local step = { { created = true }, { revision = 2 } }
    server:tell({ watch = { on_create = step, for_ever = true } })
    server:tell({ watch = { on_progress = { { wait_ms = 1 } } } })
    registry = assert(support.start(support.tree(server.endpoints, "127.0.0.1:7402", {}, { audit = "4s" })))
    registry:await("the first", function()
      return registry:addresses("c") == "127.0.0.1:1"
    end)
    server:tell({ put = { ["c/127.0.0.2:1"] = '{"Op":0,"Addr":"127.0.0.2:1"}' } })
    registry:await("the second", function()
      return registry:addresses("c") == "127.0.0.1:1 127.0.0.2:1"
    end, 15000)
    assert.equal(1, resyncs("audit"))
  end)

  it("reads everything after a connection was lost, for a store that was overtaken", function()
    -- The same number of keys and the same newest revision as before, but another endpoint.
    server:tell({ wipe = true, put = { ["c/127.0.0.2:1"] = '{"Op":0,"Addr":"127.0.0.2:1"}' } })
    server:tell({ reset = true })
    registry:await("the other one", function()
      return registry:addresses("c"):find("127.0.0.2:1", 1, true)
    end, 8000)
  end)
end)
