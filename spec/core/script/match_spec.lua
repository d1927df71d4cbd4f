local cffi = require("spec.support.ffi")
local C = cffi.load({ "script/match.h", "base/clock.h" })

local function match(pattern, text)
  return C.peri_script_match(pattern, cffi.slice(text))
end

describe("a pattern of a route", function()
  it("is found as Lua's string.find finds it", function()
    for _, pattern in ipairs({ "", "a", "^a", "a$", "^v%d+$", "%a+%-%d", "[^x]b", "(a)(b)", "a-b", "%bxy", "b*" }) do
      for _, text in ipairs({ "", "a", "ab", "ba", "v12", "v12x", "canary-7", "xb", "aab", "x(y)y" }) do
        assert.equal(text:find(pattern) ~= nil, match(pattern, text), pattern .. " in " .. text)
      end
    end
  end)

  it("is not found when it is malformed", function()
    for _, pattern in ipairs({ "[a", "%", "%b" }) do
      assert.is_false(match(pattern, "a"))
    end
  end)

  it("is given up when it takes too long", function()
    local started = C.peri_clock_mono_ns()
    assert.is_false(match(("a*"):rep(40) .. "b", ("a"):rep(200)))
    assert.truthy(tonumber(C.peri_clock_mono_ns() - started) < 100e6)
  end)

  it("counts what is compared with a capture by its length", function()
    local long = ("x"):rep(1000)
    assert.is_true(match("^(" .. long .. ")" .. ("%1"):rep(10) .. "$", long:rep(11)))
    assert.is_false(match("^(" .. long .. ")" .. ("%1"):rep(160) .. "$", long:rep(161)))
  end)
end)
