local uv = require("luv")
local support = require("spec.core.etcd.watch_support")
local etcd = require("spec.support.etcd")
local etcdfake = require("spec.support.etcdfake")
local proc = require("spec.support.proc")
local C = support.C

describe("the stream of watches", function()
  local server, url, rig

  before_each(function()
    server, url = support.mute()
    rig = support.rig({ url })
  end)

  after_each(function()
    support.free_all()
    server:close()
  end)

  it("is found silent in time, and has patience the next time", function()
    local probe = rig:watch("k/", 1)
    local took = rig:await("the silence", 2500, function()
      return probe.troubles == 1
    end)
    assert.equal("timeout", probe:kind())
    assert.is_true(took > 1150 and took < 1500 * proc.patience, took .. " ms")
    assert.is_true(rig:await("the second silence", 4000, function()
      return rig:creates() == 3
    end) > 1900)
    assert.equal(1, probe.troubles)
  end)

  it("lives on any message", function()
    local probe = rig:watch("k/", 1)
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    for i = 1, 6 do
      rig:run(600)
      rig:forge({ id = -1, revision = 20 + i })
    end
    assert.equal(0, probe.troubles)
    assert.equal(1, rig:creates())
    assert.is_true(C.peri_clock_mono_ns() - C.peri_etcd_watches_heard_ns(rig.c.watches) < 1e9)
  end)

  it("is opened again at once, and then ever later", function()
    rig:watch("k/", 1)
    local times = {}
    for i = 1, 8 do
      rig:await("a stream", 3000, function()
        return rig:creates() == i
      end)
      times[i] = uv.hrtime() / 1e6
      rig:raw("\255")
    end
    assert.is_true(times[2] - times[1] < 40 * proc.patience)
    assert.is_true(times[3] - times[2] >= 45)
    assert.is_true(times[8] - times[7] >= 450)
    assert.is_true(times[8] - times[1] < 4000 * proc.patience)
  end)

  it("is not opened in a busy loop when connections break", function()
    local accepted = 0
    local rude = uv.new_tcp()
    rude:bind("127.0.0.1", 0)
    rude:listen(16, function()
      local client = uv.new_tcp()
      rude:accept(client)
      client:close()
      accepted = accepted + 1
    end)
    local own = support.rig({ ("http://127.0.0.1:%d"):format(rude:getsockname().port) })
    local probe = own:watch("k/", 1)
    own:run(2000)
    assert.is_true(probe.troubles >= 1)
    assert.is_true(own:creates() >= 3 and own:creates() < 20, own:creates() .. " streams")
    assert.is_true(accepted < 40, accepted .. " connections")
    own:free()
    rude:close()
  end)

  it("closes with its last watch", function()
    local probe, other = rig:watch("k/", 1), rig:watch("l/", 1)
    rig:step()
    assert.equal(1, rig:endpoint())
    probe:free()
    assert.equal(1, rig:endpoint())
    other:free()
    assert.is_nil(rig:endpoint())
    rig:run(100)
    rig:watch("k/", 1)
    rig:step()
    assert.equal(1, rig:endpoint())
  end)

  it("is not opened for a watch that went first", function()
    rig:watch("k/", 1):free()
    rig:run(50)
    assert.is_nil(rig:endpoint())
  end)

  it("takes a late timer for its own fault", function()
    local probe = rig:watch("k/", 1)
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:run(500)
    -- The loop stands still, longer than the server may be silent, and then has its answer.
    proc.watch(1500)
    rig:step()
    rig:forge({ id = -1, revision = 20 })
    rig:run(100)
    assert.equal(0, probe.troubles)
    assert.equal(1, rig:creates())
  end)

  it("is freed without watches, and NULL", function()
    local out = support.ffi.new("struct peri_etcd_watches *[1]")
    assert.equal(0, C.peri_etcd_watches_new(rig.c.etcd, out))
    assert.equal(0, tonumber(C.peri_etcd_watches_heard_ns(out[0])))
    C.peri_etcd_watches_free(out[0])
    C.peri_etcd_watches_free(nil)
    C.peri_etcd_watch_free(nil)
  end)
end)

describe("the stream of watches on a server that misbehaves", function()
  local fake, rig, probe

  setup(etcdfake.setup)

  before_each(function()
    fake = etcdfake.start()
    fake:tell({ revision = 20 })
    rig = support.rig(fake.endpoints)
    probe = rig:watch("k/", 10)
  end)

  after_each(function()
    support.free_all()
    fake:stop()
  end)

  it("asks for what it needs", function()
    probe:await_live()
    local asked = fake:requests("WatchCreate")[1]
    assert.equal("k/", asked.key)
    assert.equal("k0", asked.range_end)
    assert.equal(10, tonumber(asked.start_revision))
    assert.equal(0, tonumber(asked.watch_id))
    assert.is_true(asked.fragment and asked.progress_notify)
    assert.equal("true", asked.hasleader)
  end)

  it("resumes after GOAWAY", function()
    probe:await_live()
    fake:tell({ put = { ["k/a"] = "1" } })
    probe:await_events(1)
    fake:tell({ goaway = { code = 11, debug = "too_many_pings", close = true } })
    rig:await("another stream", 3000, function()
      return rig:creates() == 2 and probe:live()
    end)
    assert.equal(22, tonumber(fake:requests("WatchCreate")[2].start_revision))
    fake:tell({ put = { ["k/a"] = "2" } })
    probe:await_events(2)
    assert.equal("put k/a 1 21\nput k/a 2 22\n", probe:seen())
  end)

  it("does not hurry when every stream ends at once", function()
    probe:free()
    fake:tell({
      watch = { for_ever = true, on_create = { { created = true }, { end_code = 14, end_message = "etcdserver: server stopped" } } },
    })
    local other = rig:watch("l/", 10)
    rig:run(2500)
    local tries = #fake:requests("WatchCreate")
    assert.is_true(tries >= 4 and tries < 15, tries .. " tries")
    assert.equal("busy", other:kind())
  end)

  it("waits long when the stream is forbidden", function()
    probe:await_live()
    fake:tell({ watch = { for_ever = true, on_create = { { end_code = 7, end_message = "etcdserver: permission denied" } } } })
    fake:tell({ watch = { send = { { end_code = 7, end_message = "etcdserver: permission denied" } } } })
    rig:await("the denial", 3000, function()
      return probe:kind() == "denied"
    end)
    rig:run(2500)
    assert.equal(1, #fake:requests("WatchCreate"))
  end)

  it("is given up when probes stay unanswered, however well it began", function()
    fake:tell({ watch = { on_progress = { { wait_ms = 1 } } } })
    probe:await_live()
    local took = rig:await("the silence", 3000, function()
      return probe.troubles == 1
    end)
    assert.is_true(took < 1500 * proc.patience, took .. " ms")
    assert.equal("timeout", probe:kind())
    -- Ever more patient: a newer server answers no probe before all watches have caught up.
    probe:await_live()
    assert.is_true(rig:await("the silence", 5000, function()
      return probe.troubles == 2
    end) > 1700)
  end)

  it("lives on events alone", function()
    fake:tell({ watch = { on_progress = { { wait_ms = 1 } } } })
    probe:await_live()
    for i = 1, 6 do
      fake:tell({ put = { ["k/a"] = tostring(i) } })
      rig:run(700)
    end
    assert.equal(6, probe.events)
    assert.equal(0, probe.troubles)
  end)

  it("comes back from garbage", function()
    probe:await_live()
    fake:tell({ garbage = true })
    fake:tell({ reset = true })
    rig:run(1500)
    assert.is_false(probe:live())
    assert.is_true(fake:counts().conns < 25)
    fake:tell({ garbage = false })
    probe:await_live(8000)
    fake:tell({ put = { ["k/a"] = "1" } })
    probe:await_events(1)
  end)
end)

describe("the stream of watches on a cluster", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start({ members = 3, fast = true })
  end)

  teardown(function()
    etcd.stop_all()
  end)

  before_each(function()
    rig = support.rig(cluster.endpoints)
  end)

  after_each(function()
    support.free_all()
    for i = 1, 3 do
      cluster:thaw(i)
    end
    cluster:await_healthy()
  end)

  it("stays when nothing happens", function()
    local probe = rig:watch("idle/", 1)
    probe:await_live()
    rig:run(4000)
    assert.equal(0, probe.troubles)
    assert.equal(1, rig:creates())
  end)

  it("moves when its member stops, as an end of the process says", function()
    local probe = rig:watch("term/", 1)
    probe:await_live()
    local member = rig:endpoint()
    cluster.members[member].process:kill("sigterm")
    rig:await("another member", 5000, function()
      return probe.troubles > 0 and probe:live()
    end)
    assert.are_not.equal(member, rig:endpoint())
    cluster:restart(member)
    cluster:ctl("put", "term/a", "1")
    probe:await_events(1)
  end)

  it("moves from a silent member within 1.5 s", function()
    local probe = rig:watch("freeze/", 1)
    probe:await_live()
    for round = 1, 5 do
      local member = rig:endpoint()
      local lives = probe.lives
      cluster:freeze(member)
      local took = rig:await("the watch to resume", 5000, function()
        return probe.lives > lives and probe:live()
      end)
      assert.are_not.equal(member, rig:endpoint())
      assert.is_true(took <= 1500 * proc.patience, took .. " ms")
      cluster:thaw(member)
      cluster:await_healthy()
      cluster:ctl("put", "freeze/a", round)
      probe:await_events(round)
    end
    assert.equal("12345", (probe:seen():gsub("put freeze/a (%d) %d+\n", "%1")))
  end)

  it("waits for a quorum without haste", function()
    local probe = rig:watch("quorum/", 1)
    probe:await_live()
    local member = rig:endpoint()
    for i = 1, 3 do
      if i ~= member then
        cluster:freeze(i)
      end
    end
    rig:await("the loss", 8000, function()
      return probe.troubles > 0
    end)
    rig:run(3000)
    assert.is_true(rig:creates() < 15, rig:creates() .. " streams")
    for i = 1, 3 do
      cluster:thaw(i)
    end
    cluster:await_healthy()
    probe:await_live(8000)
    cluster:ctl("put", "quorum/a", "1")
    probe:await_events(1, 8000)
    assert.equal(0, probe.resets)
  end)
end)

describe("watches through faults", function()
  local cluster

  setup(function()
    cluster = etcd.start({ members = 3, fast = true, flags = { "--experimental-watch-progress-notify-interval", "100ms" } })
  end)

  teardown(function()
    etcd.stop_all()
  end)

  after_each(function()
    support.free_all()
  end)

  --- Every revision of the writer has its two puts and at most one delete or put more, in one
  --- batch; returns what was seen as a set.
  local function check_whole(probe)
    local seen, at, lines = {}, nil, 0
    for line in (probe:log() .. "end 0"):gmatch("[^\n]+") do
      local head, revision = line:match("^(%a+) .-(%d+)$")
      if head == "put" or head == "delete" then
        assert.is_nil(seen[line], line .. " came twice")
        seen[line] = true
      end
      if head == "batch" or head == "end" or revision ~= at then
        assert(not at or lines == 2 or lines == 3, ("revision %s has %d events"):format(at or "", lines))
        at, lines = head ~= "batch" and head ~= "end" and revision or nil, 0
      end
      lines = lines + (at and 1 or 0)
    end
    return seen
  end

  it("are ordered, unique, atomic, reliable and resumable", function()
    local rigs = { support.rig(cluster.endpoints), support.rig(cluster.endpoints) }
    local start = cluster:ctl("put", "w/c", "0") and cluster:read("w/c")["w/c"].mod_revision + 1
    local probes, writer = {}, support.rig(cluster.endpoints):writer("w/")
    for i, rig in ipairs(rigs) do
      probes[i] = rig:watch("w/", start)
      probes[i]:await_live()
    end
    local function step_all(ms, ready)
      local deadline = uv.hrtime() + ms * 1e6
      while uv.hrtime() < deadline and not (ready and ready()) do
        C.peri_loop_step(writer.c.rig.loop, 1)
        rigs[1]:step(1)
        rigs[2]:step(1)
      end
      return not ready or ready()
    end
    local rounds = os.getenv("PERI_SOAK") and 60 or 6
    for round = 1, rounds do
      step_all(300)
      local member = rigs[1]:endpoint() or 1
      local lives = probes[1].lives
      if round % 3 == 0 then
        cluster:kill(member)
      else
        cluster:freeze(member)
      end
      assert(step_all(10000 * proc.patience, function()
        return probes[1].lives > lives and probes[1]:live()
      end), "not resumed")
      local before = probes[1].events
      assert(step_all(10000 * proc.patience, function()
        return probes[1].events > before + 10
      end), "no events")
      if round % 3 == 0 then
        cluster:restart(member, { wait = false })
      else
        cluster:thaw(member)
      end
      step_all(700)
    end
    writer.stop()
    cluster:await_healthy()
    cluster:ctl("put", "w/end", "1")
    local last = cluster:read("w/end")["w/end"].mod_revision
    assert(step_all(10000 * proc.patience, function()
      return probes[1]:next() > last and probes[2]:next() > last
    end), "the last event did not come")
    assert.is_true(writer.c.done > 100)
    for _, probe in ipairs(probes) do
      assert.equal(0, probe.resets)
      probe:check_order(start)
    end
    local logs = {}
    for i, probe in ipairs(probes) do
      logs[i] = probe:seen()
    end
    assert.is_true(logs[1] == logs[2], "two watches of the same saw different things")
    -- The last put is no revision of the writer.
    local whole = setmetatable({ log = function()
      return (probes[1]:log():gsub("put w/end [^\n]+\n", ""))
    end }, { __index = probes[1] })
    local seen = check_whole(whole)
    for line in writer.acknowledged():gmatch("[^\n]+") do
      assert.is_true(seen[line], line .. " was acknowledged and not seen")
    end
  end)

  it("are bookmarkable", function()
    local rig = support.rig(cluster.endpoints)
    cluster:ctl("put", "busy/a", "0")
    local start = cluster:read("busy/a")["busy/a"].mod_revision + 1
    local idle = rig:watch("quiet/", start)
    idle:await_live()
    for i = 1, 20 do
      cluster:ctl("put", "busy/a", i)
    end
    local newest = cluster:read("busy/a")["busy/a"].mod_revision
    rig:await("a bookmark", 5000, function()
      return idle:next() > newest
    end)
    local member = rig:endpoint()
    cluster:ctl("compact", newest)
    cluster:kill(member)
    local lives = idle.lives
    rig:await("the watch to resume", 5000, function()
      return idle.lives > lives
    end)
    cluster:restart(member)
    cluster:ctl("put", "quiet/a", "1")
    idle:await_events(1)
    assert.equal(0, idle.resets)
  end)

  it("hear of a compaction while they were away", function()
    local rig = support.rig(cluster.endpoints)
    cluster:ctl("put", "gone/a", "0")
    local probe = rig:watch("gone/", cluster:read("gone/a")["gone/a"].mod_revision)
    probe:await_events(1)
    -- Its member cannot tell it what comes now, and dies before it could.
    local member = rig:endpoint()
    cluster:freeze(member)
    -- What is written before an election goes to the frozen one.
    cluster:leader()
    for i = 1, 3 do
      cluster:ctl("put", "gone/a", i)
    end
    local newest = cluster:read("gone/a")["gone/a"].mod_revision
    cluster:ctl("compact", newest)
    cluster:kill(member)
    rig:await("the reset", 8000, function()
      return probe.resets == 1
    end)
    assert.equal(support.COMPACTED, probe.reset_why)
    probe:restart(newest)
    probe:await_events(2)
    assert.matches("put gone/a 3 " .. newest, probe:seen())
    assert.equal(2, probe.events)
    probe:check_order(1)
    cluster:restart(member)
  end)
end)
