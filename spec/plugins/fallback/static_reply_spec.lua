local support = require("spec.plugins.support")
local s = support.s

describe("the fallback static_reply", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    script:close()
    s.clean()
  end)

  it("answers every key with its value", function()
    local got = script:fetch(assert(script:fallback("static_reply", '{"value":"v"}')), "any")
    assert.same({ 0, "v", -1 }, { got.code, got.value, got.ttl_ns })
  end)

  it("may say how long", function()
    local got = script:fetch(assert(script:fallback("static_reply", '{"value":"","ttl":"2s"}')))
    assert.same({ 0, "", 2e9 }, { got.code, got.value, got.ttl_ns })
  end)

  it("needs a value", function()
    local made, code, words = script:fallback("static_reply", "{}")
    assert.is_nil(made)
    assert.equal(s.ECONFIG, code)
    assert.matches("value", words)
  end)
end)
