local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "app/setup.h", "base/json.h", "model/config.h" })

describe("a configuration file", function()
  local folder

  setup(function()
    folder = proc.folder()
  end)

  teardown(function()
    proc.remove(folder)
  end)

  local function read(text)
    local file = folder .. "/perigee.lua"
    if text then
      proc.write(file, text)
    end
    local got = ffi.new("struct peri_setup")
    local problem = ffi.new("struct peri_problem")
    local code = C.peri_setup_read(text and file or folder .. "/none.lua", got, problem)
    return got, code, ffi.string(problem.text)
  end

  it("is evaluated and checked", function()
    local got, code, words = read("return { workers = 1 + 2 }")
    assert.equal(0, code, words)
    assert.equal(3, got.config.workers)
    assert.is_true(got.tree ~= nil)
    C.peri_setup_done(got)
    assert.is_true(got.config == nil and got.tree == nil)
    C.peri_setup_done(got)
  end)

  it("is named when it is wrong or missing", function()
    for text, word in pairs({ ["return {"] = "perigee.lua:1:", ["return { wrokers = 1 }"] = "wrokers", ["return 1"] = "table" }) do
      local _, code, words = read(text)
      assert.is_true(code < 0)
      assert.truthy(words:find(word, 1, true), words)
      assert.truthy(words:find("perigee.lua", 1, true), words)
    end
    local _, code, words = read(nil)
    assert.is_true(code < 0)
    assert.truthy(words:find("none.lua", 1, true), words)
  end)
end)

describe("two configurations", function()
  local function tree(text)
    local json = ffi.new("struct peri_json *[1]")
    assert.equal(0, C.peri_json_parse(cffi.slice(text), json, nil))
    return ffi.gc(json[0], C.peri_json_unref)
  end

  local function differs(a, b)
    local names = ffi.new("char[64]")
    local any = C.peri_setup_differs(tree(a), tree(b), names, 64)
    assert.equal(any, ffi.string(names) ~= "")
    return ffi.string(names)
  end

  it("are the same in any order", function()
    assert.equal("", differs('{"a":1,"b":{"c":[1,2.5,"x",null,true]}}', '{"b":{"c":[1,2.5,"x",null,true]},"a":1}'))
  end)

  it("may differ in services", function()
    local registry = '{"registry":{"kind":"static","services":%s}}'
    assert.equal("", differs(registry:format('{"a":[]}'), registry:format("{}")))
    assert.equal("", differs(registry:format("{}"), '{"registry":{"kind":"static"}}'))
    assert.equal("registry", differs(registry:format("{}"), '{"registry":{"kind":"etcd"}}'))
    assert.equal("registry", differs(registry:format("{}"), '{"registry":{"services":{}}}'))
  end)

  it("may differ in what is provided", function()
    assert.equal("", differs('{"provides":[1]}', '{"provides":[2]}'))
    assert.equal("", differs("{}", '{"provides":[2]}'))
    assert.equal("", differs('{"provides":[2]}', "{}"))
  end)

  it("name what else differs", function()
    assert.equal("workers", differs('{"workers":1,"x":1}', '{"workers":2,"x":1}'))
    assert.equal("workers, groups", differs('{"workers":1}', '{"groups":{}}'))
    assert.equal("groups", differs('{"groups":{"g":{"ttl":"1s"}}}', '{"groups":{"g":{"ttl":"2s"}}}'))
    assert.equal("files", differs('{"files":["a","b"]}', '{"files":["a"]}'))
    assert.equal("files", differs('{"files":["a","b"]}', '{"files":["b","a"]}'))
    assert.equal("registry", differs("{}", '{"registry":{}}'))
  end)

  it("cut the names when there are too many", function()
    local a, b = {}, {}
    for i = 1, 40 do
      a[i] = ('"key%d":1'):format(i)
      b[i] = ('"key%d":2'):format(i)
    end
    local names = differs("{" .. table.concat(a, ",") .. "}", "{" .. table.concat(b, ",") .. "}")
    assert.truthy(#names < 64 and names:find("key1, key2", 1, true), names)
  end)
end)
