local s = require("spec.core.script.support")
local sources = require("spec.core.script.sources_support")
local C, ffi = sources.C, s.ffi

describe("sources", function()
  local first, second, plugins, lua_dir
  before_each(function()
    first, second, plugins, lua_dir = s.folder(), s.folder(), s.folder(), s.folder()
  end)
  after_each(s.clean)

  local function read()
    return sources.read({ first, second }, plugins, lua_dir)
  end

  local function text(source)
    return source ~= nil and source.code == 0 and ffi.string(source.text.ptr, source.text.len) or nil
  end

  local function find(kept, relative)
    return text(C.peri_sources_find(kept, relative))
  end

  it("hold the files below the policy folders, then those that are shipped", function()
    s.write(first .. "/balancer/a.lua", "a of first")
    s.write(second .. "/balancer/a.lua", "a of second")
    s.write(second .. "/balancer/b.lua", "b of second")
    s.write(plugins .. "/balancer/a.lua", "a of plugins")
    s.write(plugins .. "/lib/deep/c.lua", "c of plugins")
    s.write(plugins .. "/top.lua", "")
    local kept = read()
    assert.equal("a of first", find(kept, "balancer/a.lua"))
    assert.equal("b of second", find(kept, "balancer/b.lua"))
    assert.equal("c of plugins", find(kept, "lib/deep/c.lua"))
    assert.equal("", find(kept, "top.lua"))
    for _, missing in ipairs({ "", "/", "balancer", "balancer/", "balancer/c.lua", "a.lua", "balancer/a.lu", "balancer/a.luas" }) do
      assert.is_true(C.peri_sources_find(kept, missing) == nil, missing)
    end
    local source = C.peri_sources_find(kept, "balancer/a.lua")
    assert.equal("balancer/a.lua", ffi.string(source.relative))
    assert.equal(first .. "/balancer/a.lua", ffi.string(source.path))
  end)

  it("hold Perigee's own modules apart", function()
    s.write(lua_dir .. "/perigee/extra.lua", "own")
    s.write(lua_dir .. "/other.lua", "not read")
    s.write(first .. "/perigee/extra.lua", "not Perigee's")
    local kept = read()
    assert.equal("own", text(C.peri_sources_module(kept, "perigee/extra.lua")))
    assert.is_true(C.peri_sources_module(kept, "other.lua") == nil)
    assert.equal("not Perigee's", find(kept, "perigee/extra.lua"))
  end)

  it("are what they were, whatever becomes of the files", function()
    s.write(first .. "/picker/a.lua", "then")
    local kept = read()
    s.write(first .. "/picker/a.lua", "now")
    assert.equal("then", find(kept, "picker/a.lua"))
    local fresh = read()
    assert.equal("now", find(fresh, "picker/a.lua"))
    assert.is_true(
      C.peri_sources_find(kept, "picker/a.lua").digest ~= C.peri_sources_find(fresh, "picker/a.lua").digest
    )
  end)

  it("skip names that no policy can have", function()
    for _, name in ipairs({ ".hidden.lua", ".git/a.lua", "a-b.lua", "A.lua", "a.lua~", "a.txt", "a.b.lua", "b.d/a.lua", "#a.lua#", ".lua" }) do
      s.write(first .. "/picker/" .. name, "x")
      assert.is_true(C.peri_sources_find(read(), "picker/" .. name) == nil, name)
    end
  end)

  it("follow the links of a mounted ConfigMap", function()
    s.write(first .. "/..one/x.lua", "one")
    s.write(first .. "/..one/sub/y.lua", "one")
    s.shell("cd %s && ln -s ..one ..data && ln -s ..data/x.lua x.lua && ln -s ..data/sub sub", first)
    local kept = read()
    assert.same({ "one", "one" }, { find(kept, "x.lua"), find(kept, "sub/y.lua") })
    s.write(first .. "/..two/x.lua", "two")
    s.write(first .. "/..two/sub/y.lua", "two")
    s.shell("cd %s && ln -s ..two ..data_tmp && mv -T ..data_tmp ..data && rm -r ..one", first)
    kept = read()
    assert.same({ "two", "two" }, { find(kept, "x.lua"), find(kept, "sub/y.lua") })
  end)

  it("end where links lead back", function()
    s.write(first .. "/balancer/a.lua", "a")
    s.shell("cd %s && ln -s . self && ln -s ../balancer balancer/again && ln -s %s balancer/root", first, first)
    local kept = read()
    assert.equal("a", find(kept, "balancer/a.lua"))
    assert.is_true(C.peri_sources_find(kept, "self/balancer/a.lua") == nil)
  end)

  it("tell what cannot be read", function()
    s.write(plugins .. "/picker/fifo.lua", "hidden by what is in front")
    s.shell("cd %s && mkdir -p picker/folder.lua && mkfifo picker/fifo.lua && ln -s nowhere picker/link.lua", first)
    s.shell("ln -s /dev/zero %s/picker/zero.lua && truncate -s 1048577 %s/picker/big.lua", first, first)
    s.shell("truncate -s 1048576 %s/picker/fits.lua", first)
    local kept = read()
    local function code(name)
      return C.peri_sources_find(kept, "picker/" .. name .. ".lua").code
    end
    for name, expected in pairs({ folder = s.EINVAL, fifo = s.EINVAL, zero = s.EINVAL, link = s.ENOTFOUND, big = s.ELIMIT, fits = 0 }) do
      assert.equal(expected, code(name), name)
    end
  end)

  it("do without folders that are missing", function()
    s.shell("rm -r %s %s %s", first, second, lua_dir)
    s.write(plugins .. "/picker/a.lua", "a")
    assert.equal("a", find(read(), "picker/a.lua"))
    assert.is_true(C.peri_sources_find(sources.read({}, nil, nil), "picker/a.lua") == nil)
    s.write(first, "a file in place of a folder")
    assert.equal("a", find(read(), "picker/a.lua"))
    os.remove(first)
  end)

  it("let no later folder stand in for one that cannot be read", function()
    s.write(second .. "/picker/a.lua", "a")
    s.shell("rm -r %s && ln -s %s %s", first, first, first)
    local source = C.peri_sources_find(read(), "picker/a.lua")
    assert.equal(s.EIO, source.code)
    assert.equal(first .. "/", ffi.string(source.path))
    source = C.peri_sources_find(sources.read({ second, first }, nil, nil), "picker/a.lua")
    assert.equal("a", text(source))
  end)

  it("refuse to be endless", function()
    s.shell("mkdir %s/many && cd %s/many && seq -f 'f%%g.lua' 4097 | xargs touch", first, first)
    local code, words = sources.try({ first }, nil, nil)
    assert.equal(s.ELIMIT, code)
    assert.equal(first .. ": there are more than 4096 Lua files for policies", words)

    s.shell("cd %s && seq -f '%s/d%%g' 4096 | xargs mkdir", second, second)
    code, words = sources.try({ second }, nil, nil)
    assert.equal(s.ELIMIT, code)
    assert.equal(second .. ": there are more than 4096 folders for policies", words)

    local large = s.folder()
    s.shell("cd %s && for i in $(seq 65); do truncate -s 1048576 f$i.lua; done", large)
    code, words = sources.try({ large }, nil, nil)
    assert.equal(s.ELIMIT, code)
    assert.equal(large .. ": the Lua files for policies have more than 64 MiB", words)
  end)

  it("are shared by counting", function()
    s.write(first .. "/a.lua", "a")
    local kept = sources.read({ first }, nil, nil, true)
    assert.is_true(C.peri_sources_ref(kept) == kept)
    C.peri_sources_unref(kept)
    assert.equal("a", find(kept, "a.lua"))
    C.peri_sources_unref(kept)
    C.peri_sources_unref(nil)
  end)
end)
