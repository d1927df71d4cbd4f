local s = require("spec.core.script.support")

describe("a request handle", function()
  local script
  after_each(function()
    script:close()
    s.clean()
  end)

  local function see(expression, options)
    script = s.script({
      ["fallback/f.lua"] = ("return require('perigee.policy').fallback({ name = 'f', new = function() return {} end, fetch = function(self, request) local got = tostring(%s) self.kept = request return got end })"):format(
        expression
      ),
    })
    local fallback = assert(script:fallback("f"))
    local got = script:fetch(fallback, "k", options)
    return got.value, fallback
  end

  it("shows what is asked", function()
    assert.equal("countries k", (see("request:group() .. ' ' .. request:key()")))
  end)

  it("shows the peer that failed", function()
    assert.equal("10.0.0.1:7", (see("request:peer()", { cause = "timeout", peer = "10.0.0.1:7" })))
  end)

  it("shows no peer for the origin's sake", function()
    assert.equal("nil", (see("request:peer()")))
  end)

  it("shows the milliseconds left", function()
    local left = tonumber((see("request:deadline_ms()", { timeout_ms = 3000 })))
    assert.is_true(left > 2000 and left <= 3000, left)
  end)

  it("raises after its end", function()
    local value, fallback = see("self.kept and self.kept:key()")
    assert.equal("nil", value)
    local got = script:fetch(fallback, "again")
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("this request is used after its end", 1, true), got.text)
  end)

  it("keeps its metatable", function()
    assert.equal("perigee.request", (see("getmetatable(request)")))
  end)
end)
