local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/config_read.h" })

local held

-- A node over JSON text, as if it were the whole configuration.
local function root(json, source)
  local tree = ffi.new("struct peri_json *[1]")
  held = { json = json, source = source or "", file = "c.lua", folder = "/etc/p" }
  held.problem = ffi.new("struct peri_problem")
  assert.equal(0, C.peri_json_parse(cffi.slice(json), tree, held.problem))
  held.tree = ffi.gc(tree[0], C.peri_json_unref)
  held.arena = ffi.gc(C.peri_arena_new(0), C.peri_arena_free)
  held.reader = ffi.new("struct peri_config_reader", {
    file = held.file,
    folder = held.folder,
    source = cffi.slice(held.source),
    arena = held.arena,
    problem = held.problem,
  })
  held.root = ffi.new("struct peri_config_node", { reader = held.reader, json = held.tree })
  return held.root
end

local function words()
  return ffi.string(held.problem.text)
end

describe("reading configuration fields", function()
  it("leaves a value alone when its key is absent or null", function()
    local value = ffi.new("int64_t[1]", 42)
    assert.equal(0, C.peri_config_integer(root('{"b":null}'), "a", 0, 9, value))
    assert.equal(0, C.peri_config_integer(held.root, "b", 0, 9, value))
    assert.equal(42, tonumber(value[0]))
  end)

  it("takes whole numbers of either kind", function()
    local value = ffi.new("int64_t[1]")
    assert.equal(0, C.peri_config_integer(root('{"a":3.0}'), "a", 0, 9, value))
    assert.equal(3, tonumber(value[0]))
    assert.equal(C.PERI_ECONFIG, C.peri_config_integer(root('{"a":1e300}'), "a", 0, 9, value))
    assert.equal("c.lua: a: must be a whole number", words())
    assert.equal(C.PERI_ECONFIG, C.peri_config_integer(root('{"a":"3"}'), "a", 0, 9, value))
  end)

  it("names path and line of what it is in", function()
    local node = root('{"a":[1,{"b":true}]}', "return {\n a = { 1,\n { b = true } } }")
    local list, member = ffi.new("struct peri_config_node"), ffi.new("struct peri_config_node")
    assert.is_true(C.peri_config_member(node, "a", list))
    local element = ffi.new("struct peri_config_node", C.peri_config_element(list, 1))
    assert.is_true(C.peri_config_member(element, "b", member))
    assert.equal(C.PERI_ECONFIG, C.peri_config_fail(member, "wrong %s", "thing"))
    assert.equal("c.lua:3: a[2].b: wrong thing", words())
  end)

  it("copies strings", function()
    local text = ffi.new("const char *[1]")
    assert.equal(0, C.peri_config_string(root('{"a":"x"}'), "a", text))
    assert.equal("x", ffi.string(text[0]))
    assert.equal(C.PERI_ECONFIG, C.peri_config_string(root('{"a":""}'), "a", text))
    assert.equal("c.lua: a: must not be empty", words())
    assert.equal(C.PERI_ECONFIG, C.peri_config_string(root('{"a":1}'), "a", text))
    assert.equal("c.lua: a: must be a string", words())
    assert.equal(C.PERI_ECONFIG, C.peri_config_string(root([[{"a":"b\u0000c"}]]), "a", text))
    assert.equal("c.lua: a: must not hold a NUL byte", words())
  end)

  it("takes sizes with a unit and plain bytes", function()
    local bytes = ffi.new("uint64_t[1]")
    assert.equal(0, C.peri_config_size(root('{"a":"2KiB","b":77}'), "a", 0, 1e6, bytes))
    assert.equal(2048, tonumber(bytes[0]))
    assert.equal(0, C.peri_config_size(held.root, "b", 0, 1e6, bytes))
    assert.equal(77, tonumber(bytes[0]))
    assert.equal(C.PERI_ECONFIG, C.peri_config_size(root('{"a":-1}'), "a", 0, 9, bytes))
    assert.equal(C.PERI_ECONFIG, C.peri_config_size(root('{"a":true}'), "a", 0, 9, bytes))
  end)

  it("counts milliseconds up", function()
    local ms = ffi.new("uint64_t[1]", 7)
    assert.equal(0, C.peri_config_duration_ms(root('{"a":"1ns","b":0}'), "a", false, ms))
    assert.equal(1, tonumber(ms[0]))
    assert.equal(0, C.peri_config_duration_ms(held.root, "b", true, ms))
    assert.equal(0, tonumber(ms[0]))
    assert.equal(C.PERI_ECONFIG, C.peri_config_duration_ms(held.root, "b", false, ms))
  end)

  it("takes an empty list for an empty table and the other way round", function()
    local keys = ffi.new("const char *[1]", { "a" })
    local count = ffi.new("size_t[1]", 9)
    assert.equal(0, C.peri_config_expect(root("[]"), keys, 1, nil, 0))
    assert.equal(0, C.peri_config_list(root("{}"), count))
    assert.equal(0, tonumber(count[0]))
    assert.equal(C.PERI_ECONFIG, C.peri_config_list(root('{"a":1}'), count))
  end)

  it("knows wildcards", function()
    assert.is_true(C.peri_config_is_wildcard("0.0.0.0:1"))
    assert.is_true(C.peri_config_is_wildcard("[::]:1"))
    assert.is_false(C.peri_config_is_wildcard("127.0.0.1:1"))
    assert.is_false(C.peri_config_is_wildcard("nonsense"))
  end)

  it("cuts a path that is very long", function()
    local node = root('{"' .. ("k"):rep(3000) .. '":1}')
    local keys = ffi.new("const char *[1]", { "a" })
    assert.equal(C.PERI_ECONFIG, C.peri_config_expect(node, keys, 1, nil, 0))
    assert.is_true(#words() < 496)
  end)
end)
