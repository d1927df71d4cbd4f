local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local uv = require("luv")

describe("the example three-sidecars", function()
  local folder, base

  before_each(function()
    folder = proc.folder()
    base = proc.free_ports(40)
  end)

  after_each(function()
    etcd.stop_all()
    proc.destroy_all()
    proc.remove(folder)
  end)

  local function start_with(env, ...)
    env.PERIGEE, env.PERIGEE_BASE_PORT, env.TMPDIR = proc.build .. "/perigee", tostring(base), folder
    return proc.start(proc.root .. "/examples/three-sidecars/run", { ... }, { env = env })
  end

  --- No process has the folder in its words or listens where the example did.
  local function assert_nothing_left(run)
    assert.same({}, proc.traces(folder))
    for address in run.out:gmatch("sidecar %d  app (%S+)") do
      local found = proc.run("/usr/bin/curl", { "-s", "-m", "1", "http://" .. address })
      assert.equal(7, found.code, "something still listens on " .. address)
    end
  end

  it("lets members come and go on an etcd of its own while no get fails", function()
    local run = start_with({})
    assert.equal(0, (run:wait(90000)), run.out .. run.err)
    assert.equal("", run.err)
    for number = 1, 3 do
      local mesh = ("127.0.0.1:%d"):format(base + 10 * number + 2)
      assert.truthy(run.out:find(("\n  %s  weight 1"):format(mesh), 1, true), run.out)
    end
    assert.truthy(run.out:find("GroupCache  live   3 ", 1, true), run.out)
    local _, countries = run.out:gsub("loaded once, by its owner, sidecar %d  ", "")
    assert.equal(12, countries)
    local one, two, three = run.out:match("loads of the origin: (%d+) %+ (%d+) %+ (%d+),")
    assert.equal(12, one + two + three)
    local at = 1
    for _, step in ipairs({
      { "was told to stop, and left", "1 2  " }, { "has come back", "1 2 3" },
      { "its lease still lives", "1 2 3" }, { "has ended", "1 2  " }, { "has come back", "1 2 3" },
    }) do
      local _, stop, peers = run.out:find(step[1] .. " +([%d ]-)  +%d+ ms\n", at)
      assert.equal(step[2]:match("^(.-)%s*$"), peers, run.out)
      at = stop
    end
    local gets, failed = run.out:match("gets meanwhile: (%d+), failed: (%d+)\n")
    assert.truthy(tonumber(gets) > 10, run.out)
    assert.equal("0", failed)
    assert.truthy(run.out:find("all three have left\n$"))
    assert_nothing_left(run)
  end)

  it("uses the etcd that it is given, and leaves nothing when it is interrupted", function()
    local cluster = etcd.start({ fast = true })
    local run = start_with({}, cluster.endpoints[1])
    run:await_out("a client keeps asking", 60000)
    run:kill("sigint")
    local code = run:wait(30000)
    assert.equal(130, code, run.out .. run.err)
    assert.equal(0, select(2, cluster:read("")))
    assert.equal(0, #cluster:leases())
    assert_nothing_left(run)
  end)

  it("names the package when there is no etcd", function()
    local tools = proc.folder()
    for _, tool in ipairs({ "cat", "dirname", "mktemp", "rm", "touch" }) do
      assert(uv.fs_symlink("/bin/" .. tool, tools .. "/" .. tool))
    end
    local run = start_with({ PATH = tools })
    local code = run:wait(20000)
    proc.remove(tools)
    assert.equal(1, code)
    assert.truthy(run.err:find("apt-get install etcd-server", 1, true), run.err)
    assert.same({}, proc.traces(folder))
  end)
end)
