local s = require("spec.core.script.support")

-- The builtin of the LuaJIT that runs this spec says what is right.
local subjects = {
  "",
  "a",
  "hello world",
  "aaa bbb",
  "key = value; other=thing",
  "(a(b)c)(d",
  "x\0y",
  "THE (quick) fox",
  "2026-11-21T10:00:00",
  "[[]]^$%",
  "  trimmed  ",
  "äöü",
}
local patterns = {
  "",
  "a",
  ".",
  "a*",
  "a-",
  "a+",
  "a?b",
  "^a",
  "a$",
  "^$",
  "%a+",
  "%A+",
  "(%w+)%s*=%s*(%w+)",
  "()ll()",
  "%b()",
  "%f[%a]%a+",
  "%f[%w]",
  "[a-c]+",
  "[^a-c]+",
  "[]]",
  "[^]]+",
  "[%a_][%w_]*",
  "[a-]",
  "[%]]+",
  "(%d+)-(%d+)-(%d+)T",
  "(.)%1",
  "()%1",
  "a()b-%1",
  "((a)(b?))",
  "%z",
  "[%z]",
  "%s*(.-)%s*$",
  "^%s*(.-)%s*$",
  ".-o",
  "%%",
  "%[%[",
  "$x",
  "x^",
  "%u%u+",
  "%p",
  "%c",
  "%x+",
  "%g+",
  "o",
  "l(.)(.)",
}
local malformed = { "%", "[a", "[^", "(", ")", "(()", "%b", "%bx", "%f", "%fa", "%1", "(a)%2", "[%", "[]", "a)" }

local function show(...)
  local parts = {}
  for i = 1, select("#", ...) do
    parts[i] = tostring((select(i, ...)))
  end
  return table.concat(parts, "|")
end

describe("patterns", function()
  local vm = s.vm()
  local function same(expression, subject, pattern)
    local chunk = ("local s, p, show = %q, %q, ... return show(%s)"):format(subject, pattern, expression)
    local expected = show(pcall(loadstring(chunk), show))
    local prelude = "local function show(...) local parts = {} for i = 1, select('#', ...) do "
      .. "parts[i] = tostring((select(i, ...))) end return table.concat(parts, '|') end "
    local inner = ("return show(pcall(loadstring(%q), show))"):format(chunk)
    local code, got = s.eval(vm, prelude .. inner)
    assert.equal(0, code, got)
    assert.equal((expected:gsub("%z.*", "")), got, expression .. " " .. subject .. " " .. pattern)
  end

  for _, expression in ipairs({
    "s:find(p)",
    "s:find(p, 3)",
    "s:find(p, -2)",
    "s:find(p, 1, true)",
    "s:match(p)",
    "s:match(p, 100)",
    "s:gsub(p, '<%0>')",
    "s:gsub(p, '<%1>', 2)",
    "s:gsub(p, string.upper)",
    "s:gsub(p, { a = 'A', b = false })",
  }) do
    it("answers as the builtin does: " .. expression, function()
      for _, subject in ipairs(subjects) do
        for _, pattern in ipairs(patterns) do
          same(expression, subject, pattern)
        end
      end
    end)
  end

  it("walks as the builtin does", function()
    for _, subject in ipairs(subjects) do
      for _, pattern in ipairs(patterns) do
        same("(function() local t = {} for a, b in s:gmatch(p) do t[#t + 1] = show(a, b) end return unpack(t) end)()", subject, pattern)
      end
    end
  end)

  it("takes NUL in a pattern for a character, where the builtin stops", function()
    assert.same({ 0, "2" }, { s.eval(vm, "return (('x\\0y'):find('[\\0]'))") })
    assert.same({ 0, "nil" }, { s.eval(vm, "return (('xy'):match('.\\0'))") })
  end)

  it("refuses malformed patterns", function()
    for _, pattern in ipairs(malformed) do
      local code, text = s.eval(vm, ("return (('ab(x'):find(%q))"):format(pattern))
      local ok = pcall(string.find, "ab(x", pattern)
      assert.equal(ok, code == 0, pattern .. " " .. text)
    end
  end)

  it("gives up on patterns that nest too deep", function()
    local code, text = s.eval(vm, "return ('a'):rep(1000):find(('a?'):rep(1000))", 1e9)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("pattern too complex", 1, true), text)
    assert.equal(s.ESCRIPT, (s.eval(vm, "return ('a'):rep(100):find(('(a)'):rep(40))")))
  end)
end)
