local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee services", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 2,
      node = { address = "127.0.0.1:7" },
      listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = {
        GroupCache = { { address = "127.0.0.1:7" }, { address = "127.0.0.1:8" } },
        orders = { { address = "127.0.0.1:9" } },
      } },
      groups = {},
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("shows a table and the registry", function()
    local got = car:cli("services")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("^SERVICE +STATE +ENDPOINTS +SUSPECT +INVALID +REVISION +AGE\n"), got.out)
    assert.truthy(got.out:find("\nGroupCache +live +2 +0 +0 +%- +%-\n"), got.out)
    assert.truthy(got.out:find("\norders +live +1 +0 +0 +%- +%-\n"), got.out)
    assert.truthy(got.out:find("\nregistry static\n", 1, true), got.out)
  end)

  it("shows one service", function()
    local got = car:cli("services", "orders").out
    assert.truthy(got:find("\norders ", 1, true), got)
    assert.is_nil(got:find("GroupCache", 1, true))
    local none = car:cli("services", "none")
    assert.equal(0, none.code)
    assert.equal("no service none is known\nregistry static\n", none.out)
  end)

  it("prints JSON", function()
    local got = json.decode(car:cli("services", "--json", "orders").out)
    assert.equal("static", got.kind)
    assert.same({}, got.own)
    assert.equal(1, #got.services)
    local orders = got.services[1]
    assert.same({ "orders", "live", 1, 0, 0, 0, 0 }, {
      orders.name, orders.state, orders.endpoints, orders.suspects, orders.invalid, orders.revision, orders.stale_ms,
    })
    assert.truthy(orders.age_ms >= 0)
    for _, key in ipairs({ "state", "reason", "trouble", "endpoint", "revision", "age_ms", "lease", "lease_remaining_ms" }) do
      assert.is_not_nil(got[key], key)
    end
  end)

  it("says what to do when the target is no app listener", function()
    local got = proc.run(sidecar.binary, { "services", "--target", car.mesh })
    assert.equal(1, got.code, got.err)
    assert.truthy(got.err:find("app listener", 1, true), got.err)
  end)
end)
