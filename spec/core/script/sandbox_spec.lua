local s = require("spec.core.script.support")

describe("the sandbox", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  it("shows exactly these globals", function()
    local _, text = s.eval(
      vm,
      "local names = {} for name in pairs(_G) do names[#names + 1] = name end table.sort(names) return table.concat(names, ' ')"
    )
    assert.equal(
      "_G _VERSION assert bit coroutine error getmetatable ipairs load loadstring math next os pairs pcall print "
        .. "rawequal rawget rawset require select setmetatable string table tonumber tostring type unpack xpcall",
      text
    )
  end)

  for _, name in ipairs({
    "io",
    "ffi",
    "jit",
    "debug",
    "package",
    "newproxy",
    "collectgarbage",
    "dofile",
    "loadfile",
    "getfenv",
    "setfenv",
    "gcinfo",
    "module",
    "os.execute",
    "os.exit",
    "os.getenv",
    "os.remove",
    "os.rename",
    "os.tmpname",
    "os.setlocale",
    "string.dump",
    "table.maxn",
  }) do
    it("has no " .. name, function()
      assert.same({ 0, "nil" }, { s.eval(vm, "return " .. name) })
    end)
  end

  for _, name in ipairs({ "ffi", "jit", "io", "os", "debug", "jit.opt", "jit.util", "package", "table.new" }) do
    it("cannot require " .. name, function()
      local code, text = s.eval(vm, ("return require('%s')"):format(name), nil, nil, true)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("not found", 1, true), text)
    end)
  end

  it("has the time", function()
    assert.same({ 0, "true" }, { s.eval(vm, "return os.time() > 0 and os.clock() >= 0 and os.date('%Y') > '2000'") })
  end)

  it("keeps the metatable of strings out of reach", function()
    assert.same({ 0, "string" }, { s.eval(vm, "return getmetatable('')") })
    assert.equal(s.ESCRIPT, (s.eval(vm, "getmetatable('').__index = nil")))
    assert.equal(s.ESCRIPT, (s.eval(vm, "setmetatable('', {})")))
  end)

  it("sorts with and without a function, and raises for nonsense", function()
    assert.same({ 0, "1 2 3" }, { s.eval(vm, "local t = { 3, 1, 2 } table.sort(t) return table.concat(t, ' ')") })
    assert.same({ 0, "3 2 1" }, {
      s.eval(vm, "local t = { 3, 1, 2 } table.sort(t, function(a, b) return a > b end) return table.concat(t, ' ')"),
    })
    assert.equal(s.ESCRIPT, (s.eval(vm, "table.sort({ 1, 'a', {} })")))
    assert.equal(s.ESCRIPT, (s.eval(vm, "table.sort(1)")))
  end)

  it("keeps the meaning of the builtins that it counts", function()
    for text, expected in pairs({
      ["table.concat({ 1, 2, 3 }, ', ', 2)"] = "2, 3",
      ["table.concat({ 'a', 'b', 'c' })"] = "abc",
      ["table.concat({}, ',')"] = "",
      ["(function() local t = { 1, 3 } table.insert(t, 2, 2) table.insert(t, 4) return table.concat(t) end)()"] = "1234",
      ["(function() local t = { 1, 2, 3 } local x = table.remove(t, 1) return x .. table.concat(t) end)()"] = "123",
      ["table.remove({ 1, 2, 3 })"] = "3",
      ["('x'):rep(3)"] = "xxx",
      ["('x'):rep(3, '-')"] = "x-x-x",
      ["('x'):rep(-1)"] = "",
      ["('Ab'):upper() .. ('Ab'):lower() .. ('Ab'):reverse()"] = "ABabbA",
      ["('hello'):sub(2, -2)"] = "ell",
      ["('%5.1f|%-4s|%q'):format(1.75, 'a', 'b')"] = "  1.8|a   |\"b\"",
      ["tonumber('0x10') + tonumber('11', 2)"] = "19",
      ["select('#', ('abc'):byte(1, -1))"] = "3",
      ["select(2, xpcall(error, function(e) return 'H' .. e end, 'x', 0))"] = "Hx",
      ["select('#', xpcall(function(...) return ... end, print, 1, nil, nil))"] = "4",
      ["#table.concat({ 1, 2 }, ('x'):rep(100))"] = "102",
    }) do
      local code, got = s.eval(vm, "return " .. text)
      assert.same({ 0, expected }, { code, got }, text)
    end
  end)

  it("prints without harm", function()
    assert.equal(0, (s.eval(vm, "print(1, nil, {}, 'x')")))
  end)
end)
