local s = require("spec.core.script.support")
local sources = require("spec.core.script.sources_support")

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

  describe("from sources", function()
    local folder
    before_each(function()
      folder = s.folder()
    end)

    local function on(kept)
      local options = s.ffi.new("struct peri_vm_options", { kind = "picker", name = "spec", lua_dir = lua_dir, sources = kept })
      local out = s.ffi.new("struct peri_vm *[1]")
      assert.equal(0, s.C.peri_vm_new(options, out))
      return s.ffi.gc(out[0], s.C.peri_vm_free)
    end

    local function read()
      return sources.read({ folder }, plugins, lua_dir)
    end

    local function require_in(made, module)
      return s.eval(made, ("local ok, it = pcall(require, %q) return it"):format(module), nil, nil, true)
    end

    it("takes what was read, not what is there by now", function()
      s.write(folder .. "/lib/a.lua", "return 'then'")
      local made = on(read())
      s.write(folder .. "/lib/a.lua", "return 'now'")
      s.write(folder .. "/lib/b.lua", "return 'now'")
      assert.same({ 0, "then" }, { require_in(made, "lib.a") })
      assert.truthy(select(2, require_in(made, "lib.b")):find("not found", 1, true))
    end)

    it("raises with what keeps a file from being read", function()
      s.shell("cd %s && mkdir d.lua && ln -s nowhere gone.lua && truncate -s 2M big.lua", folder)
      local made = on(read())
      assert.same({ 0, folder .. "/d.lua: this is not a regular file" }, { require_in(made, "d") })
      assert.same({ 0, folder .. "/gone.lua: this link leads nowhere" }, { require_in(made, "gone") })
      assert.same({ 0, folder .. "/big.lua: a policy's file has at most 1 MiB" }, { require_in(made, "big") })
    end)

    it("knows when another read gives it the same", function()
      s.write(folder .. "/lib/a.lua", "return require('lib.b')")
      s.write(folder .. "/lib/b.lua", "return 1")
      s.write(folder .. "/lib/c.lua", "return 1")
      local made, twin = on(read()), on(read())
      local fresh_digest = s.C.peri_vm_digest(made)
      require_in(made, "lib.a")
      require_in(made, "lib.later")
      require_in(twin, "lib.a")
      assert.is_true(fresh_digest ~= s.C.peri_vm_digest(made))
      assert.is_true(s.C.peri_vm_digest(twin) ~= s.C.peri_vm_digest(made))
      require_in(twin, "lib.later")
      require_in(twin, "lib.a")
      assert.is_true(s.C.peri_vm_digest(twin) == s.C.peri_vm_digest(made))
      assert.is_true(s.C.peri_vm_same(made, read()))

      s.write(folder .. "/lib/c.lua", "return 2")
      assert.is_true(s.C.peri_vm_same(made, read()))
      s.write(folder .. "/lib/b.lua", "return 2")
      assert.is_false(s.C.peri_vm_same(made, read()))
      s.write(folder .. "/lib/b.lua", "return 1")
      assert.is_true(s.C.peri_vm_same(made, read()))
      s.write(folder .. "/lib/later.lua", "")
      assert.is_false(s.C.peri_vm_same(made, read()))
      os.remove(folder .. "/lib/later.lua")
      s.shell("rm %s/lib/b.lua && ln -s nowhere %s/lib/b.lua", folder, folder)
      assert.is_false(s.C.peri_vm_same(made, read()))
      os.remove(folder .. "/lib/b.lua")
      assert.is_false(s.C.peri_vm_same(made, read()))
    end)

    it("does not look for files without end", function()
      local code, text = s.eval(on(read()), "for i = 1, 2e3 do pcall(require, 'x' .. i) end", 1e9, nil, true)
      assert.equal(0, code, text)
      code, text = s.eval(on(read()), "for i = 1, 257 do ok, err = pcall(require, 'x' .. i) end return err", 1e9, nil, true)
      assert.same({ 0, "a policy requires at most 256 files" }, { code, text })
    end)
  end)
end)
