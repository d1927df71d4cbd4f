local json = require("spec.support.json")
local sidecar = require("spec.support.sidecar")

describe("control calls", function()
  local car

  setup(function()
    sidecar.setup()
    car = sidecar.start([[return {
      workers = 2,
      cluster = "c",
      node = { address = "127.0.0.1:7" },
      listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = {
        c = { { address = "127.0.0.1:7", zone = "a", weight = 3, metadata = { tags = { "x" } } }, { address = "127.0.0.1:8" } },
        other = { { address = "127.0.0.1:9" } },
      } },
      groups = { g = {} },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("tell the peers", function()
    local got = json.decode(car:cli("peers", "--json").out)
    assert.equal("c", got.cluster)
    assert.equal(1, got.version)
    assert.equal(2, #got.services)
    local cluster = got.services[1].name == "c" and got.services[1] or got.services[2]
    assert.same(
      { address = "127.0.0.1:7", zone = "a", weight = 3, self = true, suspect = false, metadata = { tags = { "x" } } },
      cluster.peers[1]
    )
    assert.equal("127.0.0.1:8", cluster.peers[2].address)
    assert.is_false(cluster.peers[2].self)
  end)

  it("tell the peers of one service", function()
    local one = json.decode(car:cli("peers", "--json", "other").out)
    assert.equal(1, #one.services)
    assert.equal("127.0.0.1:9", one.services[1].peers[1].address)
    assert.same({}, json.decode(car:cli("peers", "--json", "none").out).services)
  end)

  it("tell the statistics that begin with a prefix", function()
    local all = json.decode(car:cli("stats", "--json").out)
    local some = json.decode(car:cli("stats", "--json", "perigee_workers").out)
    assert.truthy(#all > 5)
    assert.same({ { name = "perigee_workers", labels = {}, value = 2 } }, some)
    assert.same({}, json.decode(car:cli("stats", "--json", "perigee_workers_and_more").out))
  end)

  it("tell the services", function()
    local got = json.decode(car:cli("services", "--json").out)
    assert.equal("static", got.kind)
    assert.equal(2, #got.services)
    assert.same({}, got.own)
  end)

  it("cannot register anything with a static registry", function()
    for _, method in ipairs({ "Register", "Deregister" }) do
      local path = "/perigee.v1.Mesh/" .. method
      local got = car:call({ verb = "raw", path = path, body = "CgFhEgVoOjgwOA==" })
      assert.equal("FailedPrecondition", got.code)
      assert.equal("InvalidArgument", car:call({ verb = "raw", path = path, body = "/////w==" }).code)
      assert.equal("Unimplemented", car:call({ verb = "raw", to = "mesh", path = path, body = "" }).code)
    end
  end)

  it("refuse what is no request", function()
    for _, method in ipairs({ "Peers", "Stats", "Services" }) do
      local path = "/perigee.v1.Mesh/" .. method
      assert.equal("InvalidArgument", car:call({ verb = "raw", path = path, body = "/////w==" }).code)
      assert.equal("OK", car:call({ verb = "raw", path = path, body = "" }).code)
      assert.equal("Unimplemented", car:call({ verb = "raw", to = "mesh", path = path, body = "" }).code)
    end
  end)
end)
