local etcd = require("spec.support.etcd")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local env = { ETCDCTL_API = "3" }

describe("etcdctl through the app port", function()
  local cluster, car

  setup(function()
    mesh.setup()
    cluster = etcd.start()
    local at = cluster.endpoints[1]:match("//(.*)")
    car = mesh.car(([[routes = {
      { match = { service = "etcdserverpb.*" }, to = { address = %q } },
      { match = { service = "v3*" }, to = { address = %q } },
    },]]):format(at, at))
  end)
  teardown(function()
    car:stop()
    etcd.stop_all()
    mesh.teardown()
  end)

  local function start(...)
    return proc.start(etcd.ctl_binary, { "--endpoints", car.app, ... }, { env = env })
  end

  local function ctl(...)
    local run = start(...)
    assert.equal(0, (run:wait(30000)), run.out .. run.err)
    return run.out
  end

  --- The same on a direct connection.
  local function direct(...)
    return cluster:ctl(...)
  end

  it("puts, gets and deletes", function()
    assert.equal("OK\n", ctl("put", "a/1", "one"))
    assert.equal("a/1\none\n", direct("get", "a/1"))
    local all = "a/1\none\n"
    for i = 2, 9 do
      ctl("put", "a/" .. i, ("x"):rep(100000))
      all = ("%sa/%d\n%s\n"):format(all, i, ("x"):rep(100000))
    end
    assert.equal(all, ctl("get", "--prefix", "a/"))
    assert.equal("9\n", ctl("del", "--prefix", "a/"))
    assert.equal("", direct("get", "--prefix", "a/"))
  end)

  it("decides in a transaction", function()
    direct("put", "t", "1")
    local run = proc.run(etcd.ctl_binary, { "--endpoints", car.app, "txn" }, { env = env, input = 'value("t") = "1"\n\nput t 2\n\nget t\n\n' })
    assert.equal(0, run.code, run.err)
    assert.equal("SUCCESS\n\nOK\n", run.out)
    assert.equal("t\n2\n", direct("get", "t"))
  end)

  it("watches", function()
    local watch = start("watch", "--prefix", "w/")
    -- The watch is there when etcd counts it.
    proc.await("the watch", 10000, function()
      return cluster:metric(1, "etcd_debugging_mvcc_watcher_total") == 1
    end)
    for i = 1, 20 do
      direct("put", "w/" .. i, "v" .. i)
      watch:await_out(("PUT\nw/%d\nv%d\n"):format(i, i))
    end
    watch:kill("sigint")
    watch:wait()
    proc.await("the end of the watch", 10000, function()
      return cluster:metric(1, "etcd_debugging_mvcc_watcher_total") == 0
    end)
  end)

  it("keeps a lease alive", function()
    local id = ctl("lease", "grant", "2"):match("^lease (%x+) granted")
    local alive = start("lease", "keep-alive", id)
    alive:await_out(("lease %s keepalived with TTL"):format(id))
    ctl("put", "--lease", id, "leased", "yes")
    alive.out = ""
    alive:await_out("keepalived with TTL.-keepalived with TTL.-keepalived with TTL")
    assert.equal("leased\nyes\n", direct("get", "leased"))
    alive:destroy()
    ctl("lease", "revoke", id)
    assert.equal("", direct("get", "leased"))
  end)

  it("locks", function()
    local first = start("lock", "mutex")
    first:await_out("^mutex/%x+\n")
    local second = start("lock", "mutex")
    proc.await("the second in line", 10000, function()
      return select(2, cluster:read("mutex/")) == 2
    end)
    assert.equal("", second.out)
    first:kill("sigint")
    second:await_out("^mutex/%x+\n")
    second:kill("sigint")
    assert.equal(0, (second:wait()))
  end)

  it("elects", function()
    local leader = start("elect", "crown", "one")
    leader:await_out("^crown/%x+\none\n")
    local listener = start("elect", "-l", "crown")
    listener:await_out("^crown/%x+\none\n")
    local next_one = start("elect", "crown", "two")
    proc.await("the second in line", 10000, function()
      return select(2, cluster:read("crown/")) == 2
    end)
    leader:kill("sigint")
    next_one:await_out("^crown/%x+\ntwo\n")
    listener:await_out("\ncrown/%x+\ntwo\n")
    next_one:kill("sigint")
    listener:kill("sigint")
    next_one:wait()
    listener:wait()
  end)

  it("saves a snapshot", function()
    for i = 1, 10 do
      direct("put", "big/" .. i, ("y"):rep(100000))
    end
    local folder = proc.folder()
    finally(function()
      proc.remove(folder)
    end)
    ctl("snapshot", "save", folder .. "/snapshot")
    -- It refuses one whose hash is wrong.
    local status = proc.run(etcd.ctl_binary, { "snapshot", "status", folder .. "/snapshot" }, { env = env })
    assert.equal(0, status.code, status.err)
    assert.truthy(ctl("endpoint", "status"):find(car.app, 1, true))
  end)

  it("is told what etcd itself says when it is wrong", function()
    local run = start("lease", "revoke", "1234")
    assert.not_equal(0, (run:wait()))
    assert.truthy(run.err:find("requested lease not found", 1, true), run.err)
  end)
end)
