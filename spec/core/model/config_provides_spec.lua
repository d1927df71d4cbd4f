local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h" })

local ETCD = "registry = { kind = 'etcd', endpoints = 'h:1' }, node = { address = '10.0.0.7:7402', weight = 7 }, "

local function provides(list)
  return "return { " .. ETCD .. "provides = " .. list .. " }"
end

local function fails(list, words)
  support.fails(provides(list), "configuration:1: provides" .. words)
end

describe("what a configuration provides", function()
  it("has defaults", function()
    local config = support.build(provides("{ { service = 'orders', address = '127.0.0.1:50051' } }"))
    assert.equal(1, tonumber(config.provide_count))
    local one = config.provides[0]
    assert.equal("orders", ffi.string(one.service))
    assert.equal("127.0.0.1:50051", ffi.string(one.address))
    assert.equal(7, one.weight)
    assert.equal("", ffi.string(one.version))
    assert.equal("tcp", ffi.string(one.health))
    assert.is_true(one.metadata == nil)
    assert.equal(0, tonumber(support.build("return {}").provide_count))
    assert.equal(0, tonumber(support.build("return { provides = {} }").provide_count))
  end)

  it("takes all there is", function()
    local config = support.build(provides([[{
      { service = "a.B", address = "unix:/run/app", weight = 3, version = "1.2", health = "grpc", metadata = { tags = { "x" } } },
      { service = "b/c", address = "localhost:1", health = "none", metadata = {} },
    }]]))
    local a, b = config.provides[0], config.provides[1]
    assert.equal("unix:/run/app", ffi.string(a.address))
    assert.equal(3, a.weight)
    assert.equal("1.2", ffi.string(a.version))
    assert.equal("grpc", ffi.string(a.health))
    assert.equal(1, tonumber(C.peri_json_size(C.peri_json_get(a.metadata, "tags"))))
    assert.equal("b/c", ffi.string(b.service))
    assert.equal("none", ffi.string(b.health))
  end)

  it("is checked", function()
    local ok = "service = 'a', address = 'h:1', "
    fails("7", ": must be a list")
    fails("{ 7 }", "[1]: must be a table")
    fails("{ { address = 'h:1' } }", "[1]: what is provided needs a service")
    fails("{ { service = 'a' } }", "[1]: what is provided needs an address: where the application listens")
    fails("{ { service = '', address = 'h:1' } }", "[1].service: must not be empty")
    fails("{ { service = '/a', address = 'h:1' } }", "[1].service: must not begin or end with '/'")
    fails("{ { service = 'a/', address = 'h:1' } }", "[1].service: must not begin or end with '/'")
    fails("{ { service = ('a'):rep(201), address = 'h:1' } }", "[1].service: a service's name has at most 200 bytes")
    fails(
      "{ { service = 'GroupCache', address = 'h:1' } }",
      '[1].service: "GroupCache" is the cluster, which every sidecar joins by itself'
    )
    fails("{ { service = 'a', address = '0.0.0.0:1' } }", '[1].address: "0.0.0.0:1" is no address to dial')
    fails("{ { service = 'a', address = 'h:0' } }", '[1].address: "h:0" has no port to dial')
    fails("{ { " .. ok .. "weight = 0 } }", "[1].weight: must be 1 to 65535, not 0")
    fails("{ { " .. ok .. "health = 'http' } }", '[1].health: must be "grpc", "tcp" or "none"')
    fails("{ { " .. ok .. "metadata = { 'x' } } }", "[1].metadata: must be a table with named keys")
    fails("{ { " .. ok .. "metadata = 'x' } }", "[1].metadata: must be a table with named keys")
    fails("{ { " .. ok .. "metadata = { weight = 1 } } }", "[1].metadata.weight: stands beside metadata, not in it")
    fails("{ { " .. ok .. "metadata = { zone = 'a' } } }", "[1].metadata.zone: comes from node.zone")
    fails("{ { " .. ok .. "adress = 'h:1' } }", '[1].adress: unknown key; did you mean "address"?')
    fails("{ { service = 'a', address = 'h:1' }, { service = 'a', address = 'h:2' } }", '[2]: "a" is provided twice')
  end)

  it("needs a mesh listener where it is registered", function()
    local list = "provides = { { service = 'a', address = 'h:1' } } }"
    support.fails(
      "return { listen = { mesh = false }, " .. ETCD .. list,
      "configuration:1: provides: needs a mesh listener, through which others call what is provided: set listen.mesh"
    )
    assert.equal(1, tonumber(support.build("return { " .. list).provide_count))
  end)
end)
