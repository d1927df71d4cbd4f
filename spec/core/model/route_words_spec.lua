local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h", "model/route.h", "model/route_shim.h" })

local slice = cffi.slice

--- Words about the only route, whose `match` is given.
local function words(match, path, authority, name, value)
  local config = support.build("return { routes = { { match = " .. match .. ', to = "a" } } }')
  local text = ffi.new("struct peri_buffer")
  assert.equal(0, C.peri_shim_route_words(config, slice(path or "/a.B/C"), slice(authority or "host"), name, slice(value or ""), text))
  local said = ffi.string(text.ptr, text.len)
  C.peri_buffer_done(text)
  return said
end

describe("peri_route_words", function()
  it("tells what a route matched on", function()
    assert.equal("route 1 matched: it takes every call", words("{}"))
    assert.equal(
      'route 1 matched: service "a.*", method "C", authority "host", header x-env = "canary"',
      words('{ service = "a.*", method = "C", authority = "host", header = { ["x-env"] = "canary" } }', nil, nil, "x-env", "canary")
    )
    assert.equal(
      'route 1 matched: header x-env = "canaries" by prefix "can"',
      words('{ header = { ["x-env"] = { prefix = "can" } } }', nil, nil, "x-env", "canaries")
    )
    assert.equal(
      'route 1 matched: header x-env = "banana" by pattern "nan"',
      words('{ header = { ["x-env"] = { pattern = "nan" } } }', nil, nil, "x-env", "banana")
    )
    assert.equal("route 1 matched: header x-env is there", words('{ header = { ["x-env"] = { present = true } } }', nil, nil, "x-env", "q"))
  end)

  it("tells the first thing that a route did not match on", function()
    assert.equal('route 1 did not: service is "a.B", not "b.*"', words('{ service = "b.*", method = "X" }'))
    assert.equal('route 1 did not: method is "C", not "X"', words('{ service = "a.B", method = "X" }'))
    assert.equal('route 1 did not: authority is "host", not "pay.*"', words('{ authority = "pay.*" }'))
    assert.equal("route 1 did not: there is no header x-env", words('{ header = { ["x-env"] = "canary" } }'))
    assert.equal(
      'route 1 did not: header x-env is "prod", not "canary"',
      words('{ header = { ["x-env"] = "canary" } }', nil, nil, "x-env", "prod")
    )
    assert.equal(
      'route 1 did not: header x-env is "prod", not prefix "can"',
      words('{ header = { ["x-env"] = { prefix = "can" } } }', nil, nil, "x-env", "prod")
    )
  end)

  it("keeps secrets", function()
    for _, name in ipairs({ "authorization", "cookie", "x-api-key", "x-auth-token", "password", "trace-bin" }) do
      local match = ('{ header = { ["%s"] = "hunter2" } }'):format(name)
      assert.equal("route 1 matched: header " .. name, words(match, nil, nil, name, "hunter2"))
      assert.equal(("route 1 did not: header %s has another value"):format(name), words(match, nil, nil, name, "other"))
      match = ('{ header = { ["%s"] = { prefix = "hunt" } } }'):format(name)
      assert.equal(("route 1 matched: header %s by its prefix"):format(name), words(match, nil, nil, name, "hunter2"))
    end
  end)

  it("cuts long values", function()
    local said = words('{ authority = "b" }', nil, ("x"):rep(1000))
    assert.equal(('route 1 did not: authority is "%s", not "b"'):format(("x"):rep(64)), said)
  end)
end)
