local s = require("spec.core.script.support")

describe("an instance", function()
  after_each(s.clean)

  local counter = [[
    local policy = require("perigee.policy")
    made = (made or 0)
    return policy.fallback({
      name = "count",
      schema = { start = { type = "integer", default = 0 } },
      new = function(options) made = made + 1 return { at = options.start } end,
      fetch = function(self) self.at = self.at + 1 return made .. " " .. self.at end,
    })]]

  it("shares the VM of its file and nothing else", function()
    local script = s.script({ ["fallback/count.lua"] = counter })
    local one, two = assert(script:fallback("count", '{"start":10}')), assert(script:fallback("count"))
    assert.equal("2 11", script:fetch(one).value)
    assert.equal("2 12", script:fetch(one).value)
    assert.equal("2 1", script:fetch(two).value)
    script:close()
  end)

  it("leaves with the last of its file, which then begins anew", function()
    local script = s.script({ ["fallback/count.lua"] = counter })
    for _ = 1, 3 do
      local one = assert(script:fallback("count"))
      assert.equal("1 1", script:fetch(one).value)
      s.C.script_shim_free_fallback(one)
      script.fallbacks = {}
    end
    script:close()
  end)

  it("leaves nothing when it fails", function()
    local script = s.script({ ["fallback/count.lua"] = counter })
    for _ = 1, 3 do
      local none, code, text = script:fallback("count", '{"strat":1}')
      assert.is_nil(none)
      assert.equal(s.ECONFIG, code)
      assert.equal('fallback count: unknown option "strat"; did you mean "start"?', text)
    end
    script:close()
  end)

  it("works while another of its file fails to be made", function()
    local script = s.script({ ["fallback/count.lua"] = counter })
    local one = assert(script:fallback("count"))
    assert.is_nil((script:fallback("count", '{"start":"x"}')))
    assert.equal("1 1", script:fetch(one).value)
    script:close()
  end)
end)
