local s = require("spec.core.script.support")

describe("what a fetch returns", function()
  local function fetch(results)
    local script = s.script({
      ["fallback/f.lua"] = ("return require('perigee.policy').fallback({ name = 'f', fetch = function() return %s end })"):format(results),
    })
    local got = script:fetch(assert(script:fallback("f")))
    got.errors = script:errors("fallback", "f")
    script:close()
    s.clean()
    return got
  end

  it("is a value", function()
    for results, expected in pairs({
      ["'v'"] = { 0, "v", -1, -1 },
      ["''"] = { 0, "", -1, -1 },
      ["'a\\0b'"] = { 0, "a\0b", -1, -1 },
      ["'v', nil"] = { 0, "v", -1, -1 },
      ["'v', {}"] = { 0, "v", -1, -1 },
      ["'v', { ttl = '60s' }"] = { 0, "v", 60e9, -1 },
      ["'v', { ttl = 250 }"] = { 0, "v", 250e6, -1 },
      ["'v', { ttl = 0 }"] = { 0, "v", 0, -1 },
      ["'v', { ttl = '0', negative_ttl = '5m' }"] = { 0, "v", 0, 300e9 },
    }) do
      local got = fetch(results)
      assert.same(expected, { got.code, got.value, got.ttl_ns, got.negative_ttl_ns }, results)
      assert.equal(0, got.errors)
    end
  end)

  it("is a failure with a name", function()
    for results, expected in pairs({
      ["nil, 'ENOTFOUND: no such country', 'ENOTFOUND'"] = { s.ENOTFOUND, "ENOTFOUND: no such country", -1 },
      ["nil, 'ENOTFOUND: no such country'"] = { s.ENOTFOUND, "ENOTFOUND: no such country", -1 },
      ["nil, 'ENOTFOUND: x', 'ENOTFOUND', { negative_ttl = '9s' }"] = { s.ENOTFOUND, "ENOTFOUND: x", 9e9 },
      ["nil, { negative_ttl = '9s' }"] = { s.ENOTFOUND, "", 9e9 },
      ["nil, 'ETIMEOUT: too slow', 'ETIMEOUT'"] = { s.ETIMEOUT, "ETIMEOUT: too slow", -1 },
      ["nil, 'ECONNECT: refused', 'ECONNECT'"] = { s.ECONNECT, "ECONNECT: refused", -1 },
      ["nil, 'EODD: odd', 'EODD'"] = { s.EIO, "EODD: odd", -1 },
      ["nil, 'just words'"] = { s.EIO, "just words", -1 },
      ["nil, ''"] = { s.EIO, "", -1 },
    }) do
      local got = fetch(results)
      assert.same(expected, { got.code, got.text, got.negative_ttl_ns }, results)
      assert.equal(0, got.errors)
    end
  end)

  for results, words in pairs({
    [""] = "fetch returned nil without saying why",
    ["nil"] = "fetch returned nil without saying why",
    ["nil, 5"] = "fetch returned nil without saying why",
    ["5"] = "fetch must return a string or nil, not a number",
    ["true"] = "fetch must return a string or nil, not a boolean",
    ["{}"] = "fetch must return a string or nil, not a table",
    ["request"] = "fetch returned nil",
    ["'v', 5"] = "fetch returned a number where",
    ["'v', { ttl = 'soon' }"] = "fetch returned a ttl that is no duration",
    ["'v', { ttl = -1 }"] = "fetch returned a ttl that is no duration",
    ["'v', { ttl = true }"] = "fetch returned a ttl that is no duration",
    ["'v', { negative_ttl = {} }"] = "fetch returned a negative_ttl that is no duration",
    ["'v', { tll = '5s' }"] = 'fetch returned an unknown field "tll"',
    ["'v', { ttl = 0 / 0 }"] = "fetch returned a ttl that is no duration",
  }) do
    it("is refused: " .. results, function()
      local got = fetch(results)
      assert.equal(s.ESCRIPT, got.code)
      assert.truthy(got.text:find(words, 1, true), got.text)
      assert.equal(1, got.errors)
    end)
  end
end)
