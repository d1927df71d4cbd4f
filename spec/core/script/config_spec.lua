local s = require("spec.core.script.support")
local C, ffi = s.C, s.ffi

ffi.cdef("int setenv(const char *name, const char *value, int overwrite);")

describe("peri_script_config", function()
  local folder
  before_each(function()
    folder = s.folder()
  end)
  after_each(s.clean)

  local function run(text, name)
    local path = s.write(folder .. "/" .. (name or "perigee.lua"), text)
    local source, len = ffi.new("char *[1]"), ffi.new("size_t[1]")
    local tree, problem = ffi.new("struct peri_json *[1]"), ffi.new("struct peri_problem")
    local code = C.peri_script_config(path, source, len, tree, problem)
    if code < 0 then
      return code, (ffi.string(problem.text):gsub("^" .. folder:gsub("%p", "%%%0") .. "/", ""))
    end
    assert.equal(text, ffi.string(source[0], len[0]))
    ffi.C.free(source[0])
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_json_dump(tree[0], false, buffer))
    local json = ffi.string(buffer.ptr, buffer.len)
    C.peri_buffer_done(buffer)
    C.peri_json_unref(tree[0])
    return 0, json
  end

  it("turns a table into JSON", function()
    assert.same({ 0, '{"workers":2}' }, { run("return { workers = 2 }") })
    assert.same({ 0, '["a",1,1.5,true,["b"]]' }, { run("return { 'a', 1, 1.5, true, { 'b' } }") })
    assert.same({ 0, "{}" }, { run("return {}") })
  end)

  it("names numbered entries of mixed tables", function()
    local _, json = run("return { fallback = { 'http_origin', url = 'x' } }")
    assert.truthy(json:find('"1":"http_origin"', 1, true), json)
    assert.truthy(json:find('"url":"x"', 1, true), json)
    local _, sparse = run("return { [3] = 'c' }")
    assert.equal('{"3":"c"}', sparse)
  end)

  it("runs as a program", function()
    assert.same(
      { 0, '{"n":[2,4,6]}' },
      { run("local n = {} for i = 1, 3 do n[i] = i * 2 end table.sort(n) return { n = n }") }
    )
  end)

  it("has env()", function()
    ffi.C.setenv("PERI_SPEC_VALUE", "from outside", 1)
    assert.same({ 0, '{"a":"from outside"}' }, { run("return { a = env('PERI_SPEC_VALUE', 'x') }") })
    assert.same({ 0, '{"a":"x"}' }, { run("return { a = env('PERI_SPEC_NONE', 'x') }") })
    assert.same({ 0, "{}" }, { run("return { a = env('PERI_SPEC_NONE', nil) }") })
    local code, text = run("\nreturn { a = env('PERI_SPEC_NONE') }")
    assert.equal(s.ECONFIG, code)
    assert.truthy(text:find("^perigee.lua:2: the environment has no PERI_SPEC_NONE"), text)
  end)

  it("has secret_file()", function()
    s.write(folder .. "/token", "s3cret\n")
    assert.same({ 0, '{"a":"s3cret"}' }, { run("return { a = secret_file('token') }") })
    assert.same({ 0, '{"a":"s3cret"}' }, { run(("return { a = secret_file('%s/token') }"):format(folder)) })
    local code, text = run("return { a = secret_file('none') }")
    assert.equal(s.ECONFIG, code)
    assert.truthy(text:find("^perigee.lua:1: secret_file: "), text)
    s.write(folder .. "/big", ("x"):rep(70000))
    assert.equal(s.ECONFIG, (run("return { a = secret_file('big') }")))
  end)

  it("has no I/O and no modules", function()
    for _, name in ipairs({ "io", "os", "require", "debug", "package", "dofile" }) do
      assert.same({ 0, "[true]" }, { run(("return { %s == nil }"):format(name)) })
    end
  end)

  local wrong = {
    ["syntax"] = { "return {\n  a = ,\n}", "^perigee.lua:2: unexpected symbol near ','$" },
    ["a raise"] = { "\n\nerror('no')", "^perigee.lua:3: no$" },
    ["no table"] = { "return 5", "^perigee.lua: the file must return a table, not a number$" },
    ["nothing"] = { "", "^perigee.lua: the file must return a table, not nil$" },
    ["a function"] = { "return { groups = { g = { picker = function() end } } }", "^perigee.lua: groups.g.picker: a value may not be a function$" },
    ["a function in a list"] = { "return { files = { 'a', print } }", "^perigee.lua: files%[2%]: a value may not be a function$" },
    ["a cycle"] = { "local t = { a = {} } t.a.b = t return t", "^perigee.lua: a.b: this table contains itself$" },
    ["depth"] = { "local t = {} for i = 1, 80 do t = { t } end return t", "nested too deep$" },
    ["NaN"] = { "return { a = 0 / 0 }", "^perigee.lua: a: this number is not finite$" },
    ["infinity"] = { "return { a = 1 / 0 }", "not finite$" },
    ["text that is not UTF-8"] = { "return { a = '\\255' }", "^perigee.lua: a: this text is not UTF%-8$" },
    ["a key that is no text"] = { "return { a = { [true] = 1 } }", "^perigee.lua: a: a key may not be a boolean$" },
    ["an endless loop"] = { "while true do end", "^perigee.lua:1: the .* budget of .* is used up$" },
    ["too much memory"] = { "local t = {} while true do t[#t + 1] = ('x'):rep(1e6) .. #t end", "the memory cap of 131072 KiB is used up$" },
    ["bytecode"] = { string.dump(loadstring("return {}")), "bytecode is not loaded, only Lua text$" },
  }
  for name, case in pairs(wrong) do
    it("explains " .. name, function()
      local code, text = run(case[1])
      assert.equal(s.ECONFIG, code)
      assert.truthy(text:find(case[2]), text)
    end)
  end

  it("names the whole file however long its path is", function()
    local name = ("deep/"):rep(20) .. "perigee.lua"
    local code, text = run("return {\n", name)
    assert.equal(s.ECONFIG, code)
    assert.equal(name .. ":2:", text:sub(1, #name + 3))
  end)

  it("says when the file is missing", function()
    local problem = ffi.new("struct peri_problem")
    local code = C.peri_script_config(folder .. "/none.lua", ffi.new("char *[1]"), ffi.new("size_t[1]"), ffi.new("struct peri_json *[1]"), problem)
    assert.equal(s.ENOTFOUND, code)
    assert.equal(folder .. "/none.lua: there is no such file", ffi.string(problem.text))
  end)
end)
