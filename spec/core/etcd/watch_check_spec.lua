local support = require("spec.core.etcd.watch_support")
local etcd = require("spec.support.etcd")
local etcdfake = require("spec.support.etcdfake")

describe("a store that went back", function()
  local cluster, rig

  before_each(function()
    cluster = etcd.start()
    rig = support.rig(cluster.endpoints)
  end)

  after_each(function()
    support.free_all()
    etcd.stop_all()
  end)

  local function put_many(count)
    for i = 1, count do
      cluster:ctl("put", "k/" .. i, i)
    end
    return cluster:read("k/" .. count)["k/" .. count].mod_revision
  end

  local function await_reset(probe)
    local took = rig:await("the reset", 8000, function()
      return probe.resets == 1
    end)
    assert.equal(support.REGRESSED, probe.reset_why)
    return took
  end

  it("is not one whose headers go back once", function()
    local newest = put_many(3)
    local probe = rig:watch("k/", newest)
    probe:await_events(1)
    for revision = newest - 1, newest + 5 do
      rig:forge({ id = -1, revision = revision % 2 == 0 and 1 or newest, term = 1 })
      rig:run(400)
    end
    assert.equal(0, probe.resets)
    assert.is_true(probe:live())
    cluster:ctl("put", "k/new", "1")
    probe:await_events(2)
  end)

  it("is not one whose headers have no revision", function()
    local probe = rig:watch("k/", 1)
    probe:await_live()
    rig:forge({ id = -1, revision = 0, term = 9 })
    rig:forge({ id = -1, revision = -1 })
    rig:run(500)
    assert.equal(0, probe.resets)
  end)

  it("is found by a start that it has not reached", function()
    local probe, other = rig:watch("k/", 1000), rig:watch("k/", 1)
    other:await_live()
    await_reset(probe)
    assert.equal(1, probe.lives)
    assert.is_false(probe:live())
    -- The watch with a start that the store has is none of those.
    assert.equal(0, other.resets)
    probe:restart(2)
    probe:await_live()
    put_many(1)
    probe:await_events(1)
    assert.equal(1, probe.resets)
  end)

  it("is found when a revision was seen that it does not have", function()
    local newest = put_many(2)
    local probe, other = rig:watch("k/", newest + 1), rig:watch("l/", 1)
    probe:await_live()
    rig:run(200)
    rig:forge({ id = -1, revision = 1000000, term = 2 })
    cluster:ctl("put", "k/1", "x")
    await_reset(probe)
    await_reset(other)
    probe:restart(newest + 1)
    probe:await_events(2)
    rig:run(1500)
    assert.equal(1, probe.resets)
  end)

  it("is found after all data were lost", function()
    local newest = put_many(5)
    local probe = rig:watch("k/", newest)
    probe:await_events(1)
    cluster:wipe()
    local took = await_reset(probe)
    assert.is_true(took < 5000, took .. " ms")
    assert.equal(1, probe.events)
    probe:restart(1)
    probe:await_live()
    local now = put_many(2)
    probe:await_events(3)
    assert.is_true(now < newest)
    assert.matches("put k/2 2 " .. now .. "\n$", probe:seen())
  end)

  it("is found also when it has passed what was seen", function()
    local newest = put_many(2)
    -- Every start of a member is a new term; a new store begins with its first.
    cluster:restart()
    local probe = rig:watch("k/", newest)
    probe:await_events(1)
    rig:run(1200)
    cluster:kill(1)
    cluster:wipe()
    assert.is_true(put_many(8) > newest)
    await_reset(probe)
  end)
end)

describe("a member that lags", function()
  teardown(function()
    support.free_all()
    etcd.stop_all()
  end)

  it("is not a store that went back", function()
    local cluster = etcd.start({ members = 3, fast = true })
    local follower = cluster:leader() % 3 + 1
    cluster:freeze(follower)
    for i = 1, 20 do
      cluster:ctl("put", "k/" .. i, i)
    end
    local newest = cluster:read("k/20")["k/20"].mod_revision
    local rig = support.rig({ cluster.endpoints[follower] })
    local probe = rig:watch("k/", newest + 1)
    rig:run(300)
    cluster:thaw(follower)
    probe:await_live(10000)
    cluster:ctl("put", "k/new", "1")
    probe:await_events(1, 10000)
    rig:run(1500)
    assert.equal(0, probe.resets)
    assert.equal(("put k/new 1 %d\n"):format(newest + 1), probe:seen())
  end)
end)

describe("a server that is silent about a future revision", function()
  local fake, rig

  setup(etcdfake.setup)

  before_each(function()
    fake = etcdfake.start()
    rig = support.rig(fake.endpoints)
  end)

  after_each(function()
    support.free_all()
    fake:stop()
  end)

  it("is asked where it is", function()
    fake:tell({ revision = 5, watch = { on_create = { { created = true } } } })
    local probe = rig:watch("k/", 100)
    rig:await("the reset", 5000, function()
      return probe.resets == 1
    end)
    assert.equal(support.REGRESSED, probe.reset_why)
    rig:await("the cancel", 2000, function()
      return #fake:requests("WatchCancel") == 1
    end)
    local read = fake:requests("Range")[1]
    assert.equal("k/", read.key)
    assert.is_true(not read.serializable)
  end)

  it("is believed when it has caught up", function()
    fake:tell({ revision = 120, watch = { on_create = { { created = true, revision = 50 } } } })
    local probe = rig:watch("k/", 100)
    probe:await_live()
    rig:run(2000)
    assert.equal(0, probe.resets)
    assert.is_true(#fake:requests("Range") >= 1 and #fake:requests("Range") <= 3)
  end)

  it("is believed only when it says so twice", function()
    fake:tell({ revision = 120, answers = { Range = { { revision = 7 } } } })
    local probe = rig:watch("k/", 100)
    probe:await_live()
    rig:run(1500)
    assert.equal(0, probe.resets)
    assert.is_true(#fake:requests("Range") >= 2)
  end)

  it("is asked again when it does not answer", function()
    local failing = {}
    for i = 1, 40 do
      failing[i] = { code = 14, message = "etcdserver: no leader" }
    end
    fake:tell({ revision = 5, answers = { Range = failing } })
    local probe = rig:watch("k/", 100)
    probe:await_live()
    rig:await("the reset", 20000, function()
      return probe.resets == 1
    end)
    assert.equal(support.REGRESSED, probe.reset_why)
  end)

  it("is found when it goes back on the same stream", function()
    fake:tell({ revision = 50 })
    local probe, other = rig:watch("k/", 51), rig:watch("l/", 2)
    probe:await_live()
    other:await_live()
    rig:run(1200)
    fake:tell({ revision = 10 })
    rig:await("the resets", 5000, function()
      return probe.resets == 1 and other.resets == 1
    end)
    assert.equal(1, rig:endpoint())
    probe:restart(11)
    probe:await_live()
    fake:tell({ put = { ["k/a"] = "1" } })
    probe:await_events(1)
    rig:run(1500)
    assert.equal(1, probe.resets)
  end)
end)
