local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")

describe("the example mesh", function()
  local folder

  before_each(function()
    folder = proc.folder()
  end)
  after_each(function()
    etcd.stop_all()
    proc.destroy_all()
    proc.remove(folder)
  end)

  local function start(...)
    local base = proc.free_ports(60)
    return proc.start(proc.root .. "/examples/mesh/run", { ... }, {
      env = { PERI_BUILD = proc.build, PERIGEE_BASE_PORT = tostring(base), TMPDIR = folder },
    })
  end

  --- How many calls each instance answered between two lines of the output.
  local function calls(out, from, to)
    local first = assert(select(2, out:find(from, 1, true)), out)
    local last = to and assert(out:find(to, first, true), out) or #out
    local counts = {}
    for name in out:sub(first + 1, last - 1):gmatch("[a-z]+%-%d") do
      counts[name] = (counts[name] or 0) + 1
    end
    return counts
  end

  it("shows where calls go while instances of two languages come and go", function()
    local cluster = etcd.start()
    local run = start(cluster.endpoints[1])
    assert.equal(0, (run:wait(150000)), run.out .. run.err)
    assert.equal("", run.err)
    local out = run.out
    local all = calls(out, "four instances:", "ruby-2 was told")
    for _, name in ipairs({ "go-1", "go-2", "ruby-1", "ruby-2" }) do
      assert.is_true((all[name] or 0) >= 4, out)
    end
    assert.is_true((calls(out, "the lease of go-1 has ended:", "go-1 has come back:")["go-2"] or 0) > 0, out)
    assert.is_true((calls(out, "all four were restarted, one after another:", " calls, failed")["ruby-2"] or 0) > 0, out)
    local made, failed = out:match("\n(%d+) calls, failed: (%d+); answered by go%-1 %d+, go%-2 %d+, ruby%-1 %d+, ruby%-2 %d+\n")
    -- Only the one call that was at an instance as it was killed may fail.
    assert.is_true(tonumber(made) > 100 and tonumber(failed) <= 1, out)
    assert.is_nil(out:find("(", out:find("go-1 has come back:", 1, true), true), out)
    assert.same(0, select(2, cluster:read("mesh/")))
  end)

  it("leaves nothing behind when it is interrupted", function()
    local run = start()
    run:await_out("four instances:", 60000)
    run:kill("sigterm")
    assert.equal(143, (run:wait(60000)), run.out .. run.err)
    assert.same({}, proc.traces(folder))
  end)
end)
