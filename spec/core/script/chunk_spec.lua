local s = require("spec.core.script.support")

describe("loading", function()
  local vm, lua_dir, plugins
  before_each(function()
    lua_dir, plugins = s.folder(), s.folder()
    vm = s.vm(0, lua_dir, plugins)
  end)
  after_each(s.clean)

  it("loads text and says what is wrong with it", function()
    assert.same({ 0, "3" }, { s.eval(vm, "return load('return 1 + 2')()") })
    assert.same({ 0, "3" }, { s.eval(vm, "return loadstring('return ...')(3)") })
    assert.same({ 0, "7" }, { s.eval(vm, "return load('return x', '=env', 't', { x = 7 })()") })
    assert.same({ 0, "5" }, {
      s.eval(vm, "local parts = { 'return ', '5' } return load(function() return table.remove(parts, 1) end)()"),
    })
    assert.same(
      { 0, "=x:1: unexpected symbol near '}'" },
      { s.eval(vm, "local f, err = load('}', '=x') return f == nil and '=' .. err") }
    )
    assert.equal(s.ESCRIPT, (s.eval(vm, "load(function() return 1 end)")))
  end)

  it("refuses bytecode", function()
    assert.same(
      { 0, "nil eval: bytecode is not loaded, only Lua text" },
      { s.eval(vm, "local f, err = load('\\27LJ\\2', '=eval') return tostring(f) .. ' ' .. err") }
    )
    s.write(plugins .. "/code.lua", string.dump(function()
      return 1
    end))
    local code, text = s.eval(vm, "return require('code')", nil, nil, true)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("code.lua: bytecode is not loaded", 1, true), text)
  end)

  it("requires files beside policies and perigee's own", function()
    s.write(plugins .. "/lib/util.lua", "return { name = ... }")
    s.write(lua_dir .. "/perigee/extra.lua", "return { kind = 'perigee' }")
    assert.same({ 0, "lib.util" }, { s.eval(vm, "return require('lib.util').name", nil, nil, true) })
    assert.same({ 0, "perigee" }, { s.eval(vm, "return require('perigee.extra').kind", nil, nil, true) })
    assert.same({ 0, "true" }, { s.eval(vm, "return require('lib.util') == require('lib.util')") })
  end)

  it("reads no file once the policy runs", function()
    s.write(plugins .. "/late.lua", "return 1")
    local code, text = s.eval(vm, "return require('late')")
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("read too late", 1, true), text)
  end)

  it("gives the true value of modules that return nothing", function()
    s.write(plugins .. "/nothing.lua", "")
    assert.same({ 0, "true" }, { s.eval(vm, "return require('nothing')", nil, nil, true) })
  end)

  it("names a module that requires itself", function()
    s.write(plugins .. "/ring.lua", "return require('ring')")
    local code, text = s.eval(vm, "return require('ring')", nil, nil, true)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("requires itself", 1, true), text)
  end)

  it("says where a module is wrong", function()
    s.write(plugins .. "/wrong.lua", "return 1\n+")
    local code, text = s.eval(vm, "return require('wrong')", nil, nil, true)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("wrong.lua:2:", 1, true), text)
  end)

  for _, name in ipairs({ "", ".", "..", "../x", "a..b", "/etc/passwd", ".hidden", "a.", "A", "a b", "a\\0b" }) do
    it("refuses the name '" .. name .. "'", function()
      local code, text = s.eval(vm, ("return require('%s')"):format(name), nil, nil, true)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("name is written in", 1, true) or text:find("not found", 1, true), text)
    end)
  end
end)
