local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local json = require("spec.support.json")
local kitchen = require("spec.core.cli.kitchen")

describe("perigee call through a sidecar", function()
  local car

  setup(function()
    sidecar.setup()
    kitchen.build()
    car = sidecar.start(([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = { kitchen = { { address = "%s" } } } },
      groups = { g = {} },
    }]]):format(kitchen.start()))
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("calls every service of the sidecar itself", function()
    assert.equal("{}\n", car:cli("call", "groupcachepb.GroupCache/Set", '{"group":"g","key":"k","value":"aGk="}').out)
    assert.equal('{"value":"aGk="}\n', car:cli("call", "groupcachepb.GroupCache/Get", '{"group":"g","key":"k"}').out)
    assert.equal("hi\n", car:cli("get", "g", "k").out)
    assert.equal(4, car:cli("call", "groupcachepb.GroupCache/Get", '{"group":"g","key":"none"}').code)
    assert.equal('{"status":"SERVING"}\n', car:cli("call", "grpc.health.v1.Health/Check").out)
    local peers = json.decode(car:cli("call", "perigee.v1.Mesh/Peers", '{"service":"kitchen"}').out)
    assert.equal("kitchen", peers.services[1].name)
    local policies = json.decode(car:cli("call", "perigee.v1.Mesh/Policies").out)
    assert.truthy(tonumber(policies.policies[1].memoryBytes) > 0)
    for _, version in ipairs({ "v1", "v1alpha" }) do
      local listed = car:cli("call", ("grpc.reflection.%s.ServerReflection/ServerReflectionInfo"):format(version), '{"listServices":""}').out
      assert.equal(5, #json.decode(listed).listServicesResponse.service)
    end
  end)

  it("watches until its time is over", function()
    local got = car:cli("call", "--timeout", "300ms", "grpc.health.v1.Health/Watch")
    assert.equal(1, got.code)
    assert.equal('{"status":"SERVING"}\n', got.out)
    assert.truthy(got.err:find("DEADLINE_EXCEEDED", 1, true), got.err)
  end)

  it("calls a service behind it, with that service's own reflection", function()
    local header = { "--header", "perigee-service=kitchen" }
    local got = car:cli("call", header[1], header[2], "kitchen.v1.Kitchen/Echo", '{"anInt32":1,"at":"2026-01-31T12:00:00Z"}')
    assert.equal(0, got.code, got.err)
    assert.equal('{"anInt32":1,"at":"2026-01-31T12:00:00Z"}\n', got.out)
    assert.equal('{"anInt32":3}\n{"anInt32":4}\n', car:cli("call", header[1], header[2], "kitchen.v1.Kitchen/Split", '{"numbers":[3,4]}').out)
    local without = car:cli("call", "kitchen.v1.Kitchen/Echo")
    assert.equal(1, without.code)
    assert.truthy(without.err:find("kitchen.v1.Kitchen\n  a service behind a sidecar is named with --header perigee-service=NAME", 1, true), without.err)
    local other = car:cli("call", header[1], header[2], "kitchen.v1.Garden/Dig")
    assert.truthy(other.err:find("NOT_FOUND", 1, true), other.err)
    assert.is_nil(other.err:find("--header", 1, true), other.err)
  end)

  it("sends bytes to it without reflection", function()
    local got = proc.run(sidecar.binary, {
      "call", "--target", car.app, "--header", "perigee-service=kitchen", "kitchen.v1.Kitchen/Echo", "--raw", "-",
    }, { input = "\24\5" })
    assert.equal(0, got.code, got.err)
    assert.equal("\24\5", got.out)
  end)
end)
