local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/types.h" })
ffi.cdef("const char *peri_config_pattern(const char *pattern);")

local function problem(pattern)
  local words = C.peri_config_pattern(pattern)
  return words ~= nil and ffi.string(words) or nil
end

describe("peri_config_pattern", function()
  it("takes what Lua takes", function()
    for _, pattern in ipairs({
      "", "^v%d+$", "[]]", "[^]]", "[%]]", "[a-z]", "(a)(b)%2%1", "()x", "%bxy", "%f[%w]a", "a-b*c?", "%%", "$^", "[[]",
      "((a)b)%1",
    }) do
      assert.is_true((pcall(string.find, "subject", pattern)), pattern)
      assert.is_nil(problem(pattern), pattern)
    end
  end)

  it("says what is wrong with others", function()
    for pattern, words in pairs({
      ["[a"] = "'[' without ']'",
      ["[]"] = "'[' without ']'",
      ["[a%"] = "'[' without ']'",
      ["a%"] = "ends with '%'",
      ["%b"] = "'%b' needs two characters",
      ["%bx"] = "'%b' needs two characters",
      ["%fa"] = "'%f' needs a set",
      ["%1"] = "names a capture that is not there",
      ["(%1)"] = "names a capture that is not there",
      ["(a)%0"] = "names a capture that is not there",
      ["(a"] = "'(' without ')'",
      ["a)"] = "')' closes no capture",
      [("()"):rep(33)] = "too many captures",
    }) do
      assert.equal(words, problem(pattern), pattern)
    end
  end)
end)
