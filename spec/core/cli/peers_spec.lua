local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee peers", function()
  setup(function()
    sidecar.folder = proc.folder()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  it("says when the sidecar is alone", function()
    local car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = {} }')
    local got = car:cli("peers")
    assert.equal(0, got.code)
    assert.truthy(got.out:find("owns every key", 1, true), got.out)
    assert.same({}, json.decode(car:cli("peers", "--json").out).services)
    car:stop()
  end)

  it("shows services, endpoints and which one it is", function()
    local car = sidecar.start([[return {
      workers = 1,
      node = { address = "127.0.0.1:7" },
      listen = { app = "127.0.0.1:0", admin = false, mesh = false },
      registry = { kind = "static", services = {
        GroupCache = { { address = "127.0.0.1:7", zone = "a" }, { address = "127.0.0.1:8", weight = 5 } },
        orders = { { address = "127.0.0.1:9" } },
        odd = { { address = "127.0.0.1:10", zone = "a\27[31m" } },
      } },
      groups = {},
    }]])
    local text = car:cli("peers").out
    assert.truthy(text:find("GroupCache (the cluster)\n  127.0.0.1:7  weight 1  zone a  (this sidecar)\n  127.0.0.1:8  weight 5\n", 1, true), text)
    assert.truthy(text:find("orders\n  127.0.0.1:9  weight 1\n", 1, true), text)
    assert.equal("orders\n  127.0.0.1:9  weight 1\n", car:cli("peers", "orders").out)
    assert.equal("odd\n  127.0.0.1:10  weight 1  zone a?[31m\n", car:cli("peers", "odd").out)
    local none = car:cli("peers", "none")
    assert.equal(0, none.code)
    assert.truthy(none.out:find("no service none is known", 1, true), none.out)
    local object = json.decode(car:cli("peers", "--json", "orders").out)
    assert.equal("127.0.0.1:9", object.services[1].peers[1].address)
    car:stop()
  end)

  it("says what to do when the target is no app listener", function()
    local car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false }, groups = {} }')
    local got = proc.run(sidecar.binary, { "peers", "--target", car.mesh })
    assert.equal(1, got.code)
    assert.truthy(got.err:find("app listener", 1, true), got.err)
    car:stop()
  end)
end)
