local s = require("spec.core.script.support")

describe("conversion", function()
  after_each(s.clean)

  -- Through a policy's options on the way in, and what it fetches on the way
  -- out; reading Lua as JSON is proved in config_spec.lua.
  local function see(expression, options)
    local script = s.script({
      ["fallback/echo.lua"] = ([[
        return require("perigee.policy").fallback({
          name = "echo",
          schema = { value = {} },
          new = function(options) return options end,
          fetch = function(self) local v = self.value return tostring(%s) end,
        })]]):format(expression),
    })
    local fallback = assert(script:fallback("echo", options))
    local outcome = script:fetch(fallback)
    script:close()
    return outcome.value
  end

  it("gives Lua what JSON holds", function()
    assert.equal("5", see("v", '{"value":5}'))
    assert.equal("1.5", see("v", '{"value":1.5}'))
    assert.equal("true", see("v", '{"value":true}'))
    assert.equal("nil", see("v", '{"value":null}'))
    assert.equal("text", see("v", '{"value":"text"}'))
    assert.equal("3", see("#v", '{"value":"a\\u0000b"}'))
    assert.equal("2", see("v[2]", '{"value":[1,2]}'))
    assert.equal("x", see("v.a.b[1]", '{"value":{"a":{"b":["x"]}}}'))
    assert.equal("nil", see("next(v)", '{"value":{}}'))
    assert.equal("c", see("v['1']", '{"value":{"1":"c","a":2}}'))
    assert.equal("9007199254740992", see("('%d'):format(v)", '{"value":9007199254740992}'))
  end)
end)
