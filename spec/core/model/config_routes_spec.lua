local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h", "model/route.h" })

local function routes(text)
  return "return { routes = " .. text .. " }"
end

local function fails(text, words)
  support.fails(routes(text), "configuration:1: routes" .. words)
end

local function text(value)
  return value ~= nil and ffi.string(value) or nil
end

describe("the routes of a configuration", function()
  it("are none by default, and what they do not name is balanced by p2c_ewma", function()
    local config = support.build("return {}")
    assert.equal(0, tonumber(config.route_count))
    assert.equal("p2c_ewma", ffi.string(config.balancer.name))
    assert.equal(0, tonumber(support.build(routes("{}")).route_count))
  end)

  it("take every key", function()
    local config = support.build([[return {
      balancer = { "random", seed = 7 },
      routes = {
        { match = { service = "orders.v1.Orders", method = "Get*", authority = "orders.local",
            header = { ["x-env"] = "canary" } },
          to = "orders", balancer = "p2c", timeout = "2s" },
        { match = { service = "*" }, to = "rest", balancer = { "consistent_hash", header = "x-user" } },
      },
    }]])
    assert.equal("random", ffi.string(config.balancer.name))
    assert.equal(7, tonumber(C.peri_json_to_integer(C.peri_json_get(config.balancer.options, "seed"))))
    assert.equal(2, tonumber(config.route_count))
    local one, two = config.routes[0], config.routes[1]
    assert.equal("orders.v1.Orders", text(one.service))
    assert.equal("Get*", text(one.method))
    assert.equal("orders.local", text(one.authority))
    assert.equal(1, tonumber(one.header_count))
    assert.equal("x-env", text(one.headers[0].name))
    assert.equal(C.PERI_MATCH_EXACT, tonumber(one.headers[0].kind))
    assert.equal("canary", text(one.headers[0].value))
    assert.equal("orders", text(one.targets[0].service))
    assert.equal("p2c", text(one.balancer.name))
    assert.equal(2000, tonumber(one.timeout_ms))
    assert.equal(1, tonumber(one.index))
    assert.is_nil(text(two.service))
    assert.equal("consistent_hash", text(two.balancer.name))
    assert.equal(0, tonumber(two.timeout_ms))
    assert.equal(2, tonumber(two.index))
  end)

  it("match headers in four ways", function()
    local config = support.build(routes([[{ { to = "a", match = { header = {
      ["x-exact"] = "v", ["x-prefix"] = { prefix = "can" }, ["x-present"] = { present = true },
      ["x-pattern"] = { pattern = "^v%d+$" } } } } }]]))
    local found = {}
    for i = 0, tonumber(config.routes[0].header_count) - 1 do
      local header = config.routes[0].headers[i]
      found[text(header.name)] = { tonumber(header.kind), text(header.value) }
    end
    assert.same({
      ["x-exact"] = { tonumber(C.PERI_MATCH_EXACT), "v" },
      ["x-prefix"] = { tonumber(C.PERI_MATCH_PREFIX), "can" },
      ["x-present"] = { tonumber(C.PERI_MATCH_PRESENT), "" },
      ["x-pattern"] = { tonumber(C.PERI_MATCH_PATTERN), "^v%d+$" },
    }, found)
  end)

  it("are checked", function()
    fails("7", ": must be a list")
    fails("{ 7 }", "[1]: must be a table")
    fails("{ { to = 'a' } }", "[1]: a route needs a match; {} matches every call")
    fails("{ { match = {} } }", "[1]: a route needs to know where: set to")
    fails("{ { match = {}, too = 'a' } }", '[1].too: unknown key; did you mean "to"?')
    fails("{ { to = 'a', match = { servise = 'a' } } }", '[1].match.servise: unknown key; did you mean "service"?')
    fails("{ { to = 'a', match = { service = 'a*b' } } }", "[1].match.service: '*' stands at the end only")
    fails("{ { to = 'a', match = { method = 'A/B' } } }", "[1].match.method: must not hold '/': a call is named by service and method")
    fails("{ { to = 'a', match = { method = '' } } }", "[1].match.method: must not be empty")
    fails("{ { to = 'a', match = {}, timeout = 2 } }", '[1].timeout: must be a duration such as "250ms", "2s", "1h"')
    fails("{ { to = 'a', match = {}, balancer = {} } }", '[1].balancer: must be a policy\'s name, or { "NAME", option = … }')
    support.fails("return { balancer = 7 }", 'configuration:1: balancer: must be a policy\'s name, or { "NAME", option = … }')
  end)

  it("check their headers", function()
    local function header(value, words)
      fails("{ { to = 'a', match = { header = " .. value .. " } } }", "[1].match.header" .. words)
    end
    header("{ 'x' }", ": must be a table of headers by name")
    header("'x'", ": must be a table of headers by name")
    header("{ ['X-Env'] = 'a' }", ".X-Env: headers are named in lower case")
    header("{ [':path'] = 'a' }", ".:path: is no name of a header")
    header("{ [''] = 'a' }", ".: a header needs a name")
    header("{ x = 1 }", ".x: must be a text, { prefix = … }, { present = true } or { pattern = … }")
    header("{ x = {} }", ".x: must be one of { prefix = … }, { present = true }, { pattern = … }")
    header("{ x = { prefix = 'a', present = true } }", ".x: must be one of { prefix = … }, { present = true }, { pattern = … }")
    header("{ x = { present = false } }", ".x.present: must be true")
    header("{ x = { prefx = 'a' } }", '.x.prefx: unknown key; did you mean "prefix"?')
    header("{ x = { pattern = '[a' } }", ".x.pattern: is no Lua pattern: '[' without ']'")
  end)

  it("let go of their addresses when a later one is wrong", function()
    fails(
      "{ { match = {}, to = { address = 'h:1' } }, { match = {}, to = { { address = 'h:2', weight = 2 }, 7 } } }",
      "[2].to[2]: must be a service's name, { service = … }, { address = … } or { addresses = { … } }"
    )
  end)
end)
