local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

-- A sanitizer's runtime must be the first library that is loaded.
if os.getenv("PERI_KIND") then
  return
end

describe("a sidecar whose clock jumps", function()
  local cluster, car, file

  setup(function()
    discovery.setup()
    local library = sidecar.folder .. "/jump.so"
    local built = proc.run("/usr/bin/cc", { "-shared", "-fPIC", "-O1", "-o", library, proc.root .. "/spec/flow/clock/jump.c", "-ldl" })
    assert(built.code == 0, built.err)
    cluster = etcd.start({ fast = true })
    file = sidecar.folder .. "/clock"
    proc.write(file, "0")
    car = discovery.start({
      endpoints = cluster.endpoints,
      env = { LD_PRELOAD = library, PERI_CLOCK_FILE = file },
    })
  end)

  teardown(discovery.teardown)

  for _, jump in ipairs({ { "an hour ahead", 3600 }, { "a day back", -86400 }, { "to now again", 0 } }) do
    it(jump[1] .. " stays registered and current", function()
      local key = "GroupCache/" .. car.address
      local before = discovery.await_key(cluster, key)
      local failures = car:metric("perigee_etcd_endpoint_failures_total")
      proc.write(file, tostring(jump[2]))
      local stop = discovery.now() + discovery.either(15000, 3000)
      local number = 0
      while discovery.now() < stop do
        number = number + 1
        local address = ("10.0.%d.%d:1"):format(math.abs(jump[2]) % 250, number)
        discovery.put(cluster, "orders", address)
        discovery.until_true(address, 1000, function()
          local peers = car:peers("orders")
          return peers and peers[address]
        end)
        local told = car:services()
        assert.equal("live", told.state)
        assert.truthy(told.lease_remaining_ms > 2000 and told.lease_remaining_ms <= 5000, told.lease_remaining_ms)
        assert.truthy(told.age_ms < 1500, told.age_ms)
        proc.watch(200)
      end
      assert.equal(failures, car:metric("perigee_etcd_endpoint_failures_total"))
      local after = discovery.await_key(cluster, key)
      assert.equal(before.lease, after.lease)
      assert.equal(before.mod_revision, after.mod_revision)
    end)
  end

  it("has really had another clock", function()
    proc.write(file, "-86400")
    assert.truthy(proc.http("GET", car.admin, "/ready"))
    car.process:kill("sigterm")
    car.process:wait()
    local first, last = car.process.err:match("^(%d+%-%d+%-%d+)T"), car.process.err:match("\n(%d+%-%d+%-%d+)T[^\n]*\n$")
    assert.not_equal(first, last)
  end)
end)
