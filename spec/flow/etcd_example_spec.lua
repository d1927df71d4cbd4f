local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")

describe("the example etcd-register", function()
  after_each(etcd.stop_all)

  local function start(...)
    return proc.start(proc.root .. "/examples/etcd-register/run", { ... }, { env = { PERI_BUILD = proc.build } })
  end

  --- What stands below a step's line.
  local function shown(out, step)
    local at = assert(select(2, out:find(step .. "[^\n]*:\n")), out)
    return out:sub(at + 1):match("^%s+([^\n]*)")
  end

  it("registers in an etcd of its own and takes itself out, step by step", function()
    local run = start("", "6")
    local code = run:wait(120000)
    assert.equal(0, code, run.out .. run.err)
    local key = "services/greeter/127.0.0.1:8080"
    assert.truthy(run.out:find("etcd listens on http://127.0.0.1:%d+\n"))
    assert.truthy(run.out:find("Grant: lease %x+ lives 5 s\n"))
    assert.equal(key, shown(run.out, "Put with the lease"))
    assert.equal(key, shown(run.out, "KeepAlive"))
    assert.truthy(run.out:find("Get: it is there, %d+ ms of the lease are left\n"))
    assert.equal("(no such key)", shown(run.out, "Delete"))
    assert.equal(key, shown(run.out, "Put again"))
    assert.equal("(no such key)", shown(run.out, "Revoke"))
    assert.equal("", run.err)
  end)

  it("uses the etcd that it is given, and leaves nothing there", function()
    local cluster = etcd.start({ fast = true })
    local run = start(cluster.endpoints[1], "1")
    assert.equal(0, (run:wait(120000)), run.out .. run.err)
    assert.is_nil(run.out:find("etcd listens", 1, true))
    assert.equal(0, select(2, cluster:read("services/")))
    assert.equal(0, #cluster:leases())
  end)

  it("says why when there is no etcd", function()
    local run = start("http://127.0.0.1:1", "1")
    assert.equal(1, (run:wait(120000)))
    assert.truthy(run.err:find("^unreachable: "), run.err)
  end)
end)
