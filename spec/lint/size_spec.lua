local functions = require("spec.lint.functions")
local sizes = require("spec.lint.sizes")

local function check(path, text)
  return table.concat(sizes.check(path, text), "\n")
end

local function spans(list)
  local text = {}
  for _, each in ipairs(list) do
    text[#text + 1] = ("%d-%d/%d"):format(each.first, each.last, each.own)
  end
  return table.concat(text, " ")
end

local function c_function(lines)
  return "static int f(int a,\n             int b) {\n" .. ("  a++;\n"):rep(lines - 3) .. "}\n"
end

local function lua_function(lines)
  return "local function f()\n" .. ("  g()\n"):rep(lines - 2) .. "end\n"
end

describe("the sizes", function()
  it("hold in the whole project", function()
    assert.equal("", table.concat(sizes.check_all(), "\n"))
  end)
end)

describe("the check of sizes", function()
  it("refuses files over 500 lines", function()
    for _, path in ipairs({ "core/base/a.c", "core/base/a.h", "lua/perigee/a.lua" }) do
      assert.equal("", check(path, ("\n"):rep(500)))
      assert.equal("", check(path, ("\n"):rep(499) .. "-"))
      assert.equal(path .. ": 501 lines are more than 500", check(path, ("\n"):rep(501)))
      assert.equal(path .. ": 501 lines are more than 500", check(path, ("\n"):rep(500) .. "-"))
    end
  end)

  it("refuses C functions over 60 lines, signature and all", function()
    assert.equal("", check("core/base/a.c", c_function(60)))
    assert.equal(
      "core/base/a.c:3: a function of 61 lines is longer than 60",
      check("core/base/a.c", "int a;\n\n" .. c_function(61))
    )
  end)

  it("refuses Lua functions over 60 lines", function()
    for _, path in ipairs({ "lua/perigee/a.lua", "plugins/picker/a.lua", "spec/a_spec.lua" }) do
      assert.equal("", check(path, lua_function(60)))
      assert.equal(path .. ":1: a function of 61 lines is longer than 60", check(path, lua_function(61)))
    end
  end)

  it("counts a spec's groups without the functions in them", function()
    local text = "describe('a', function()\n" .. lua_function(40) .. lua_function(40) .. "end)\n"
    assert.equal("", check("spec/a_spec.lua", text))
    assert.equal("lua/a.lua:1: a function of 82 lines is longer than 60", check("lua/a.lua", text))
  end)

  it("finds C functions in any layout, and nothing else", function()
    for text, expected in pairs({
      ["int f(void) { return 1; }\nint\ng(void)\n{ if (1) { } }\n"] = "1-1/1 2-4/3",
      ["struct a {\n  int (*f)(int);\n};\nint b[] = {\n  1,\n};\nint f(int);\n"] = "",
      ["// it's {\n/* f() { */\n#define X(a) f({ a\nint f(void) {\n  g('{', \"}\\\"{\");\n}\n"] = "4-6/3",
      ["#define X(a) \\\n  int a() { \\\n\nint f(void) {\n}\n"] = "4-5/2",
      ["enum a { B, C };\n\nint f(void) {\n}\n"] = "3-4/2",
    }) do
      assert.equal(expected, spans(functions.in_c(text)), text)
    end
  end)

  it("finds Lua functions whatever stands around them", function()
    local blocks = "if a then b() elseif c then d() else e() end\nfor i = 1, 2 do g() end\n"
      .. "while x do h() end\nrepeat k() until l\n"
    for text, expected in pairs({
      ["-- function end\nlocal f = function() return 'function' end\n"] = "2-2/1",
      ["function f()\n--[[ end\nend ]] local s = [==[ end ]] ]==] .. \"end\\\"end\"\nend\n"] = "1-4/4",
      ["function f()\n" .. blocks .. "end\n"] = "1-6/6",
      ["function f()\nreturn function()\n x()\nend\nend\n"] = "2-4/3 1-5/2",
      ["local function ended() local endless, functions = 1 end"] = "1-1/1",
    }) do
      assert.equal(expected, spans(functions.in_lua(text)), text)
    end
  end)
end)
