local support = require("spec.core.etcd.watch_support")
local C = support.C

describe("a watch in its own callbacks", function()
  local server, rig, probe

  before_each(function()
    local url
    server, url = support.mute()
    rig = support.rig({ url })
    probe = rig:watch("k/", 10)
  end)

  after_each(function()
    support.free_all()
    server:close()
  end)

  local function refuse(id)
    rig:forge({ id = id, canceled = true, revision = 20 })
  end

  for _, name in ipairs({ "FREE", "FREE_ALL" }) do
    it("may be freed with its events: " .. name, function()
      rig:step()
      probe.c.on_events = C["PERI_WATCH_ACT_" .. name]
      probe.c.other = rig:watch("l/", 10).c
      rig:forge({ id = 1, created = true, revision = 20 })
      rig:forge({ id = 1, revision = 11, events = { { "k/a", "1", 11 } } })
      assert.equal(1, probe.events)
      assert.is_true(probe.watch == nil)
    end)

    it("may be freed when it is live: " .. name, function()
      probe.c.on_state = C["PERI_WATCH_ACT_" .. name]
      probe.c.other = rig:watch("l/", 10).c
      rig:step()
      rig:forge({ id = 1, created = true, revision = 20, events = { { "k/a", "1", 11 } } })
      assert.is_true(probe.watch == nil)
      assert.equal(0, probe.events)
    end)

    it("may be freed when it is refused: " .. name, function()
      rig:step()
      probe.c.on_state = C["PERI_WATCH_ACT_" .. name]
      refuse(1)
      assert.is_true(probe.watch == nil)
    end)

    it("may be freed when the stream ends: " .. name, function()
      probe.c.other = rig:watch("l/", 10).c
      rig:step()
      probe.c.on_state = C["PERI_WATCH_ACT_" .. name]
      rig:raw("\255")
      assert.is_true(probe.watch == nil)
    end)

    it("may be freed when its token is refused: " .. name, function()
      rig:step()
      probe.c.on_state = C["PERI_WATCH_ACT_" .. name]
      rig:forge({ id = -1, created = true, canceled = true, reason = "etcdserver: invalid auth token" })
      assert.is_true(probe.watch == nil)
    end)

    it("may be freed when it is reset: " .. name, function()
      rig:step()
      probe.c.on_reset = C["PERI_WATCH_ACT_" .. name]
      rig:forge({ id = 1, canceled = true, compact_revision = 15 })
      assert.is_true(probe.watch == nil)
    end)
  end
end)
