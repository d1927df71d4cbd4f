local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h", "model/route.h", "model/peers.h" })

local function build(to)
  local config = support.build("return { routes = { { match = {}, to = " .. to .. " } } }")
  return config.routes[0], config
end

local function fails(to, words)
  support.fails("return { routes = { { match = {}, to = " .. to .. " } } }", "configuration:1: routes[1].to" .. words)
end

--- "NAME*WEIGHT" of a service, "ADDRESS=WEIGHT …*WEIGHT" of addresses.
local function describe_target(target)
  if target.service ~= nil then
    assert.is_true(target.peers == nil)
    return ("%s*%d"):format(ffi.string(target.service), target.weight)
  end
  local list = {}
  for i = 0, tonumber(C.peri_peers_count(target.peers)) - 1 do
    local endpoint = C.peri_peers_at(target.peers, i)
    list[i + 1] = ("%s=%d"):format(ffi.string(endpoint.address), endpoint.weight)
  end
  return ("%s*%d"):format(table.concat(list, " "), target.weight)
end

local function targets(to)
  local route, config = build(to)
  local list = {}
  for i = 0, tonumber(route.target_count) - 1 do
    list[i + 1] = describe_target(route.targets[i])
  end
  assert.is_not_nil(config)
  return list
end

describe("the targets of a route", function()
  it("are one service", function()
    assert.same({ "orders*1" }, targets("'orders'"))
    assert.same({ "orders*1" }, targets("{ service = 'orders' }"))
    assert.same({ "orders*1" }, targets("{ 'orders' }"))
  end)

  it("are fixed addresses that a balancer chooses among", function()
    assert.same({ "127.0.0.1:2379=1*1" }, targets("{ address = '127.0.0.1:2379' }"))
    assert.same({ "a:1=1 b:2=1*1" }, targets("{ addresses = { 'b:2', 'a:1' } }"))
    assert.same({ "a:1=1 unix:/x=3*1" }, targets("{ addresses = { 'a:1', { address = 'unix:/x', weight = 3 } } }"))
    assert.same({ "a:1=1 b:2=1*1" }, targets("{ { address = 'a:1' }, { address = 'b:2' } }"))
  end)

  it("are split by weight", function()
    assert.same(
      { "orders*9", "orders-v2*1", "unix:/x.sock=1*1" },
      targets("{ { service = 'orders', weight = 9 }, { service = 'orders-v2', weight = 1 }, { address = 'unix:/x.sock', weight = 1 } }")
    )
    assert.same({ "a:1=1*2", "b:2=1*1" }, targets("{ { address = 'a:1', weight = 2 }, { address = 'b:2' } }"))
    assert.same({ "a:1=1 b:2=5*3", "c*1" }, targets("{ { addresses = { 'a:1', { address = 'b:2', weight = 5 } }, weight = 3 }, 'c' }"))
  end)

  it("name fixed addresses by themselves", function()
    local route, config = build("{ addresses = { 'b:2', 'a:1' } }")
    assert.equal("b:2,a:1", ffi.string(C.peri_peers_service(route.targets[0].peers)))
    assert.is_not_nil(config)
    local many = {}
    for i = 1, 40 do
      many[i] = ("'host-%02d:1'"):format(i)
    end
    route, config = build("{ addresses = { " .. table.concat(many, ", ") .. " } }")
    assert.is_true(#ffi.string(C.peri_peers_service(route.targets[0].peers)) <= 200)
    assert.equal(40, tonumber(C.peri_peers_count(route.targets[0].peers)))
    assert.is_not_nil(config)
  end)

  it("may be sidecars, elsewhere", function()
    local route, config = build("{ addresses = { { address = 'a:1', protocol = 'perigee', zone = 'z' }, 'b:1' } }")
    local a, b = C.peri_peers_at(route.targets[0].peers, 0), C.peri_peers_at(route.targets[0].peers, 1)
    assert.is_true(a.sidecar)
    assert.equal("z", ffi.string(a.zone))
    assert.is_false(b.sidecar)
    assert.is_not_nil(config)
  end)

  it("are checked", function()
    local needed = ": must be a service's name, { service = … }, { address = … } or { addresses = { … } }"
    fails("7", needed)
    fails("{}", needed)
    fails("{ 7 }", "[1]" .. needed)
    fails("{ weight = 7 }", needed)
    fails("''", ": must not be empty")
    fails("'/a'", ": must not begin or end with '/'")
    fails("('a'):rep(201)", ": a service's name has at most 200 bytes")
    fails("{ service = 'a', address = 'b:1' }", ": is one of service, address, addresses")
    fails("{ servise = 'a' }", '.servise: unknown key; did you mean "service"?')
    fails("{ { service = 'a', weight = 0 } }", "[1].weight: must be 1 to 65535, not 0")
    fails("{ address = 'h:0' }", '.address: "h:0" has no port to dial')
    fails("{ address = 'h:1', weigt = 1 }", '.weigt: unknown key; did you mean "weight"?')
    fails("{ addresses = {} }", ".addresses: must hold an address")
    fails("{ addresses = 'h:1' }", ".addresses: must be a list")
    fails("{ addresses = { 'h' } }", '.addresses[1].address: "h" is not an address such as "127.0.0.1:7400"')
    fails("{ addresses = { 'h:1', 'h:1' } }", '.addresses[2]: "h:1" is listed twice')
  end)
end)
