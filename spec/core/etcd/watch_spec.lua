local support = require("spec.core.etcd.watch_support")
local etcd = require("spec.support.etcd")
local C = support.C

describe("a watch", function()
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

  it("is not live before the server says so", function()
    rig:step()
    assert.equal(1, probe:id())
    assert.is_false(probe:live())
    assert.equal(0, probe.lives)
    rig:forge({ id = 1, created = true, revision = 20 })
    assert.is_true(probe:live())
    assert.equal(1, probe.lives)
    assert.equal(10, probe:next())
  end)

  it("takes events that come with the confirmation", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20, events = { { "k/a", "1", 11 } } })
    assert.equal("put k/a 1 11\n", probe:seen())
  end)

  it("is refused before it is confirmed", function()
    rig:step()
    rig:forge({
      id = 1,
      created = true,
      canceled = true,
      revision = 20,
      reason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
    })
    assert.is_false(probe:live())
    assert.equal(0, probe.lives)
    assert.equal("denied", probe:kind())
    assert.equal(0, probe:id())
  end)

  it("is found when it is refused without its number", function()
    local other, third = rig:watch("l/", 10), rig:watch("m/", 10)
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = -1, created = true, canceled = true, revision = 20, reason = "etcdserver: permission denied" })
    rig:forge({ id = 3, created = true, revision = 20 })
    assert.is_true(probe:live())
    assert.equal("denied", other:kind())
    assert.equal(1, other.troubles)
    assert.is_true(third:live())
  end)

  it("is not taken for one that was freed before its answer", function()
    local other = rig:watch("l/", 10)
    rig:step()
    probe:free()
    rig:forge({ id = -1, created = true, canceled = true, revision = 20, reason = "etcdserver: permission denied" })
    assert.equal(0, other.troubles)
    rig:forge({ id = 1, revision = 12, events = { { "k/a", "1", 11 } } })
    rig:forge({ id = 2, created = true, revision = 20 })
    assert.is_true(other:live())
    assert.equal(0, probe.events)
  end)

  it("waits for its owner when its start is compacted", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = 1, canceled = true, compact_revision = 15, revision = 0 })
    assert.equal(1, probe.resets)
    assert.equal(support.COMPACTED, probe.reset_why)
    assert.is_false(probe:live())
    assert.equal(10, probe:next())
    rig:forge({ id = 1, revision = 16, events = { { "k/a", "1", 16 } } })
    assert.equal(0, probe.events)
    rig:run(100)
    assert.equal(1, rig:creates())
    probe:restart(21)
    assert.equal(2, probe:id())
    rig:forge({ id = 2, created = true, revision = 21 })
    assert.is_true(probe:live())
    assert.equal(2, probe.lives)
  end)

  it("is compacted also when only words say so", function()
    rig:step()
    rig:forge({
      id = -1,
      created = true,
      canceled = true,
      reason = "etcdserver: mvcc: required revision has been compacted",
      revision = -1,
    })
    assert.equal(support.COMPACTED, probe.reset_why)
    assert.equal(0, probe.lives)
  end)

  it("that the server cancels comes again after a while", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = 1, canceled = true, revision = 20 })
    assert.equal("busy", probe:kind())
    assert.equal(1, rig:creates())
    assert.is_true(rig:await("the next try", 500, function()
      return rig:creates() == 2
    end) > 40)
  end)

  it("is not tried in a busy loop", function()
    for i = 1, 5 do
      rig:await("a try", 2000, function()
        return rig:creates() == i
      end)
      rig:forge({ id = i, created = true, canceled = true, revision = 20 })
    end
    assert.is_true(rig:await("the next try", 2000, function()
      return rig:creates() == 6
    end) > 200)
  end)

  it("goes on where a notification of its own says", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    assert.equal(10, probe:next())
    rig:forge({ id = 1, revision = 25 })
    assert.equal(26, probe:next())
    rig:forge({ id = 1, revision = 24 })
    assert.equal(26, probe:next())
    assert.equal(0, probe.batches)
  end)

  it("is not moved by answers to probes", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = -1, revision = 25 })
    assert.equal(10, probe:next())
  end)

  it("is not moved by a notification amid fragments", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = 1, revision = 30, fragment = true, events = { { "k/a", "1", 11 } } })
    rig:forge({ id = 1, revision = 30, fragment = true })
    assert.equal(10, probe:next())
  end)

  it("forgets the fragments of a stream that ended", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:forge({ id = 1, revision = 11, fragment = true, events = { { "k/a", "1", 11 } } })
    rig:raw("\255")
    rig:await("the next stream", 1000, function()
      return rig:creates() == 2
    end)
    rig:forge({ id = 2, created = true, revision = 20 })
    rig:forge({ id = 2, revision = 11, events = { { "k/a", "1", 11 }, { "k/b", "1", 11 } } })
    assert.equal("batch 11\nput k/a 1 11\nput k/b 1 11\n", probe:log())
  end)

  it("tells its state only when it changes", function()
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    rig:raw("\255")
    assert.equal(1, probe.troubles)
    rig:await("the next stream", 1000, function()
      return rig:creates() == 2
    end)
    rig:raw("\255")
    assert.equal(1, probe.troubles)
    rig:await("the next stream", 1000, function()
      return rig:creates() == 3
    end)
    rig:forge({ id = 3, created = true, revision = 20 })
    assert.equal(2, probe.lives)
  end)

  describe("in its own callbacks", function()
    it("may be restarted with its events", function()
      rig:step()
      probe.c.on_events, probe.c.restart_at = C.PERI_WATCH_ACT_RESTART, 50
      rig:forge({ id = 1, created = true, revision = 60 })
      rig:forge({ id = 1, revision = 11, events = { { "k/a", "1", 11 } } })
      assert.equal(50, probe:next())
      assert.is_false(probe:live())
      rig:forge({ id = 2, created = true, revision = 60 })
      rig:forge({ id = 2, revision = 50, events = { { "k/a", "2", 49 }, { "k/a", "3", 50 } } })
      assert.equal("put k/a 1 11\nput k/a 3 50\n", probe:seen())
    end)

    it("may be restarted when it is reset", function()
      rig:step()
      probe.c.on_reset, probe.c.restart_at = C.PERI_WATCH_ACT_RESTART, 50
      rig:forge({ id = 1, canceled = true, compact_revision = 15 })
      assert.equal(2, probe:id())
      assert.equal(50, probe:next())
    end)
  end)

  it("survives whatever else comes", function()
    rig:step()
    for _, id in ipairs({ 0, -1, -2, 2, 257, 2 ^ 53, -2 ^ 53 }) do
      rig:forge({ id = id, created = true, revision = 20 })
      rig:forge({ id = id, canceled = true, revision = -1 })
      rig:forge({ id = id, revision = 11, fragment = true, events = { { "k/a", "1", 11 } } })
    end
    rig:raw("")
    assert.equal(0, probe.events)
  end)
end)

describe("a watch of a real etcd", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start()
  end)

  teardown(function()
    etcd.stop_all()
  end)

  before_each(function()
    rig = support.rig(cluster.endpoints)
  end)

  after_each(function()
    support.free_all()
  end)

  local function put(key, value)
    cluster:ctl("put", key, value)
    return select(2, next((cluster:read(key)))).mod_revision
  end

  it("delivers history, then what is new", function()
    local first = put("a/1", "x")
    put("b/1", "x")
    local probe = rig:watch("a/", first)
    probe:await_events(1)
    put("a/2", "y")
    cluster:ctl("del", "a/1")
    probe:await_events(3)
    assert.equal(
      ("put a/1 x %d\nput a/2 y %d\ndelete a/1  %d\n"):format(first, first + 2, first + 3),
      probe:seen()
    )
    probe:check_order(first)
  end)

  it("sees one key when it is exact", function()
    local start = put("c/1", "x")
    local exact, all = rig:watch("c/1", start, nil, true), rig:watch("", start)
    cluster:ctl("put", "c/11", "y")
    cluster:ctl("put", "c/1", "z")
    all:await_events(3)
    exact:await_events(2)
    assert.equal(("put c/1 x %d\nput c/1 z %d\n"):format(start, start + 2), exact:seen())
  end)

  it("is reset when its start is compacted", function()
    local start = put("d/1", "x")
    local newest = put("d/1", "y")
    cluster:ctl("compact", newest)
    local probe = rig:watch("d/", start)
    rig:await("the reset", 3000, function()
      return probe.resets == 1
    end)
    assert.equal(support.COMPACTED, probe.reset_why)
    probe:restart(newest)
    probe:await_events(1)
    assert.equal(("put d/1 y %d\n"):format(newest), probe:seen())
  end)

  it("joins the fragments of a large revision", function()
    local value = ("v"):rep(700 * 1024)
    local folder = cluster.folder
    local file = assert(io.open(folder .. "/large", "wb"))
    -- Ten keys of 700 KiB: two revisions' worth of fragments when they are deleted and put again.
    local start
    file:write(value)
    file:close()
    for i = 1, 10 do
      assert.equal(0, os.execute(("ETCDCTL_API=3 etcdctl --endpoints %s put f/%d < %s/large >/dev/null"):format(cluster.endpoints[1], i, folder)))
      start = start or cluster:read("f/1")["f/1"].mod_revision
    end
    cluster:ctl("del", "--prefix", "f/")
    local probe = rig:watch("f/", start)
    probe:await_events(20, 10000)
    probe:check_order(start)
    assert.equal(start + 11, probe:next())
  end)

  it("keeps many watches on one stream apart", function()
    local start = put("m/0/x", "0")
    local probes = {}
    for i = 1, 600 do
      probes[i] = rig:watch(("m/%d/"):format(i), start)
    end
    rig:await("all to be live", 10000, function()
      for i = 1, #probes do
        if not probes[i]:live() then
          return false
        end
      end
      return true
    end)
    for _, i in ipairs({ 1, 17, 257, 513, 600 }) do
      cluster:ctl("put", ("m/%d/x"):format(i), "v" .. i)
      probes[i]:await_events(1)
      assert.matches(("^put m/%d/x v%d %%d+\n$"):format(i, i), probes[i]:seen())
    end
    local total = 0
    for i = 1, #probes do
      total = total + probes[i].events
    end
    assert.equal(5, total)
    assert.equal(600, rig:creates())
  end)

  it("waits for a slow consumer and loses nothing", function()
    local start = put("s/0", "0")
    local probe = rig:watch("s/", start, { block_ms = 2500 })
    for i = 1, 3 do
      put("s/" .. i, "x")
    end
    probe:await_events(4)
    rig:run(1500)
    assert.equal(4, probe.events)
    assert.equal(0, probe.troubles)
    assert.equal(1, rig:creates())
  end)
end)

describe("a watch of an etcd with users", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start({ flags = { "--auth-token-ttl", "3" } })
    cluster:ctl("user", "add", "root:secret")
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("user", "add", "reader:word")
    cluster:ctl("role", "add", "some")
    cluster:ctl("role", "grant-permission", "--prefix=true", "some", "readwrite", "ok/")
    cluster:ctl("user", "grant-role", "reader", "some")
    cluster:ctl("auth", "enable")
    cluster.ctl_args = { "--user", "root:secret" }
  end)

  teardown(function()
    etcd.stop_all()
  end)

  after_each(function()
    support.free_all()
  end)

  it("says that a prefix is denied, and leaves the others alone", function()
    rig = support.rig(cluster.endpoints, "reader", "word")
    local denied, good = rig:watch("no/", 1), rig:watch("ok/", 1)
    good:await_live()
    rig:await("the denial", 3000, function()
      return denied.troubles > 0
    end)
    assert.equal("denied", denied:kind())
    cluster:ctl("put", "ok/a", "1")
    good:await_events(1)
    assert.is_true(rig:creates() <= 3)
    -- Whoever grants it is not told; it is tried again by itself.
    cluster:ctl("role", "grant-permission", "--prefix=true", "some", "readwrite", "no/")
    denied:await_live(8000)
    cluster:ctl("put", "no/a", "1")
    denied:await_events(1)
  end)

  it("gets a new token when the old one has expired", function()
    rig = support.rig(cluster.endpoints, "reader", "word")
    local probe = rig:watch("ok/", 1)
    probe:await_live()
    local seen = probe.events
    cluster:ctl("put", "ok/b", "1")
    probe:await_events(seen + 1)
    cluster:restart()
    probe:await_live(8000)
    cluster:ctl("put", "ok/b", "2")
    probe:await_events(seen + 2, 8000)
    probe:check_order(1)
    -- The stream's token has expired by now, which only the next watch notices.
    rig:run(5000)
    local late = rig:watch("ok/b", 1, nil, true)
    late:await_live(8000)
    probe:await_live(8000)
    cluster:ctl("put", "ok/b", "3")
    probe:await_events(seen + 3, 8000)
    late:await_events(3, 8000)
    probe:check_order(1)
  end)
end)
