local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h" })

local function services(text)
  return "return { listen = { mesh = false }, registry = { kind = 'static', services = " .. text .. " } }"
end

describe("the static services of a configuration", function()
  it("list endpoints", function()
    local config = support.build(
      services("{ orders = { { address = '10.0.0.9:50051', weight = 10, zone = 'a', metadata = { v = 1 } },"
        .. "{ address = 'unix:/run/x' } } }")
    )
    assert.equal(1, tonumber(config.service_count))
    local orders = config.services[0]
    assert.equal("orders", ffi.string(orders.name))
    assert.equal(2, tonumber(orders.endpoint_count))
    assert.equal("10.0.0.9:50051", ffi.string(orders.endpoints[0].address))
    assert.equal(10, orders.endpoints[0].weight)
    assert.equal("a", ffi.string(orders.endpoints[0].zone))
    assert.equal(1, tonumber(C.peri_json_to_integer(C.peri_json_get(orders.endpoints[0].metadata, "v"))))
    assert.equal("unix:/run/x", ffi.string(orders.endpoints[1].address))
    assert.equal(1, orders.endpoints[1].weight)
    assert.equal("", ffi.string(orders.endpoints[1].zone))
    assert.is_true(orders.endpoints[1].metadata == nil)
  end)

  it("say of sidecars that they are", function()
    local config = support.build(
      services("{ a = { { address = 'h:1', protocol = 'perigee' }, { address = 'h:2', protocol = 'grpc', metadata = { v = 1 } } } }")
    )
    local one, two = config.services[0].endpoints[0], config.services[0].endpoints[1]
    local function protocol(endpoint)
      return cffi.string(C.peri_json_to_string(C.peri_json_get(endpoint.metadata, "protocol")))
    end
    assert.equal("perigee", protocol(one))
    assert.equal("grpc", protocol(two))
    assert.equal(1, tonumber(C.peri_json_to_integer(C.peri_json_get(two.metadata, "v"))))
    support.fails(
      services("{ a = { { address = 'h:1', protocol = 'grpc', metadata = { protocol = 'x' } } } }"),
      "configuration:1: registry.services.a[1].protocol: is given in metadata already"
    )
  end)

  it("are checked", function()
    local at = "configuration:1: registry.services."
    support.fails(services("{ a = { {} } }"), at .. "a[1]: an endpoint needs an address")
    support.fails(services("{ a = { { address = 'x' } } }"), at .. 'a[1].address: "x" is not an address such as "127.0.0.1:7400"')
    support.fails(services("{ a = { { address = 'h:0' } } }"), at .. 'a[1].address: "h:0" has no port to dial')
    support.fails(services("{ a = { { address = '0.0.0.0:1' } } }"), at .. 'a[1].address: "0.0.0.0:1" is no address to dial')
    support.fails(services("{ a = { { address = 'h:1' }, { address = 'h:1' } } }"), at .. 'a[2]: "h:1" is listed twice')
    support.fails(services("{ a = { { address = 'h:1', weight = 0 } } }"), at .. "a[1].weight: must be 1 to 65535, not 0")
    support.fails(services("{ a = { { adress = 'h:1' } } }"), at .. 'a[1].adress: unknown key; did you mean "address"?')
    support.fails(services("{ a = 'h:1' }"), at .. "a: must be a list")
    support.fails(services("{ {} }"), "configuration:1: registry.services: must be a table of services by name")
    support.fails(services("'a'"), "configuration:1: registry.services: must be a table of services by name")
    support.fails(services("{ a = { { address = 'h:1', metadata = 'x' } } }"), at .. "a[1].metadata: must be a table with named keys")
    support.fails(services("{ a = { { address = 'h:1', protocol = 'perigree' } } }"), at .. 'a[1].protocol: must be "perigee" (a sidecar) or "grpc"')
  end)

  it("belong to a registry of kind static only", function()
    support.fails(
      "return { registry = { kind = 'etcd', endpoints = 'h:1', services = {} } }",
      'configuration:1: registry.services: belongs to a registry of kind "static"'
    )
    support.fails("return { registry = { kind = 'zk' } }", 'configuration:1: registry.kind: must be "static" or "etcd"')
    for _, key in ipairs({
      "endpoints", "ttl", "prefix", "user", "password", "ca", "certificate", "key", "server_name", "timeout", "propagation", "audit",
      "forget",
    }) do
      support.fails(
        ("return { registry = { %s = 'secret' } }"):format(key),
        ('configuration:1: registry.%s: belongs to a registry of kind "etcd"'):format(key)
      )
    end
  end)
end)
