local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/json.h", "base/json_shim.h" })

local function parse(text)
  local out = ffi.new("struct peri_json *[1]")
  local problem = ffi.new("struct peri_problem")
  local rc = C.peri_json_parse(cffi.slice(text), out, problem)
  if rc < 0 then
    assert.is_true(out[0] == nil)
    return nil, rc, ffi.string(problem.text)
  end
  return ffi.gc(out[0], C.peri_json_unref)
end

local function dump(json, pretty)
  local buffer = ffi.new("struct peri_buffer")
  assert.equal(0, C.peri_json_dump(json, pretty or false, buffer))
  local text = cffi.string(C.peri_buffer_slice(buffer))
  C.peri_buffer_done(buffer)
  return text
end

describe("base/json reading", function()
  it("knows the seven types", function()
    local json = parse('[null, true, 12, 1.5, "a", [], {}]')
    assert.equal(7, tonumber(C.peri_json_size(json)))
    for type = 0, 6 do
      assert.equal(type, C.peri_json_type(C.peri_json_at(json, type)))
    end
    assert.is_true(C.peri_json_at(json, 7) == nil)
    assert.is_true(C.peri_json_to_bool(C.peri_json_at(json, 1)))
    assert.equal(12, tonumber(C.peri_json_to_integer(C.peri_json_at(json, 2))))
    assert.equal(12, C.peri_json_to_real(C.peri_json_at(json, 2)))
    assert.equal(1.5, C.peri_json_to_real(C.peri_json_at(json, 3)))
    assert.equal("a", cffi.string(C.peri_json_to_string(C.peri_json_at(json, 4))))
  end)

  it("answers nothing for other types and for NULL", function()
    local json = parse('"text"')
    assert.is_false(C.peri_json_to_bool(json))
    assert.equal(0, tonumber(C.peri_json_to_integer(json)))
    assert.equal(0, C.peri_json_to_real(json))
    assert.equal(0, tonumber(C.peri_json_size(json)))
    assert.is_true(C.peri_json_at(json, 0) == nil)
    assert.is_true(C.peri_json_get(json, "a") == nil)
    assert.equal(C.PERI_JSON_NULL, C.peri_json_type(nil))
    assert.equal(0, tonumber(C.peri_json_to_string(nil).len))
    assert.equal(0, tonumber(C.peri_json_size(nil)))
    assert.is_true(C.peri_json_get(nil, "a") == nil)
    C.peri_json_unref(nil)
  end)

  it("keeps NUL inside strings", function()
    assert.equal("a\0b", cffi.string(C.peri_json_to_string(parse('"a\\u0000b"'))))
  end)

  it("finds members", function()
    local json = parse('{"a": 1, "b": {"c": "d"}}')
    assert.equal("d", cffi.string(C.peri_json_to_string(C.peri_json_get(C.peri_json_get(json, "b"), "c"))))
    assert.is_true(C.peri_json_get(json, "z") == nil)
  end)

  it("names the line of a mistake", function()
    for text, line in pairs({
      [""] = "line 1",
      ["{"] = "line 1",
      ['{\n"a": 1,\n}'] = "line 3",
      ["[1] x"] = "line 1",
      ['"\xFF"'] = "line 1",
      ["99999999999999999999"] = "line 1",
      ["nul"] = "line 1",
    }) do
      local json, rc, words = parse(text)
      assert.is_nil(json)
      assert.equal(C.PERI_EINVAL, rc)
      assert.truthy(words:find(line, 1, true), words)
    end
  end)

  it("stops at 64 levels, not counting brackets in strings", function()
    assert.truthy(parse(("["):rep(64) .. ("]"):rep(64)))
    local _, rc, words = parse("\n" .. ("["):rep(65) .. ("]"):rep(65))
    assert.equal(C.PERI_EINVAL, rc)
    assert.equal("line 2: nested deeper than 64 levels", words)
    assert.truthy(parse('"\\"' .. ("["):rep(100) .. '"'))
    assert.truthy(parse("[" .. ("[],"):rep(200) .. "{}]"))
    assert.is_nil((parse(("["):rep(1000000))))
  end)

  it("takes a NULL problem", function()
    local out = ffi.new("struct peri_json *[1]")
    assert.equal(C.PERI_EINVAL, C.peri_json_parse(cffi.slice("{"), out, nil))
  end)
end)

describe("base/json writing", function()
  it("builds nested values and keeps the order of keys", function()
    local array = C.peri_json_array()
    assert.equal(0, C.peri_json_append(array, C.peri_json_null()))
    assert.equal(0, C.peri_json_append(array, C.peri_json_bool(true)))
    assert.equal(0, C.peri_json_append(array, C.peri_json_integer(-5)))
    assert.equal(0, C.peri_json_append(array, C.peri_json_real(0.5)))
    local object = ffi.gc(C.peri_json_object(), C.peri_json_unref)
    assert.equal(0, C.peri_json_set(object, "z", array))
    assert.equal(0, C.peri_json_set(object, "a", C.peri_json_string(cffi.slice("x\0\"\n"))))
    assert.equal('{"z":[null,true,-5,0.5],"a":"x\\u0000\\"\\n"}', dump(object))
    assert.equal(0, C.peri_json_set(object, "z", C.peri_json_integer(1)))
    assert.equal('{"z":1,"a":"x\\u0000\\"\\n"}', dump(object))
  end)

  it("indents by two when pretty, writes single values and NULL", function()
    assert.equal('{\n  "a": [\n    1\n  ]\n}', dump(parse('{"a":[1]}'), true))
    assert.equal('"ü"', dump(parse('"ü"')))
    assert.equal("null", dump(nil))
  end)

  it("brings numbers back as they were", function()
    for _, number in ipairs({ 0.1, 1 / 3, 1e300, -2.5e-8, 123456789.123 }) do
      local json = ffi.gc(C.peri_json_real(number), C.peri_json_unref)
      assert.equal(number, C.peri_json_to_real(parse(dump(json))))
    end
    local big = ffi.gc(C.peri_json_integer(9223372036854775807LL), C.peri_json_unref)
    assert.equal(9223372036854775807LL, C.peri_json_to_integer(parse(dump(big))))
  end)

  it("refuses what JSON cannot hold", function()
    assert.is_true(C.peri_json_string(cffi.slice("\xFF")) == nil)
    assert.is_true(C.peri_json_real(0 / 0) == nil)
    local array = ffi.gc(C.peri_json_array(), C.peri_json_unref)
    local object = ffi.gc(C.peri_json_object(), C.peri_json_unref)
    assert.equal(C.PERI_ENOMEM, C.peri_json_append(array, nil))
    assert.equal(C.PERI_ENOMEM, C.peri_json_set(object, "a", nil))
    assert.equal(C.PERI_EINVAL, C.peri_json_append(object, C.peri_json_integer(1)))
    assert.equal(C.PERI_EINVAL, C.peri_json_set(array, "a", C.peri_json_integer(1)))
    assert.equal(C.PERI_EINVAL, C.peri_json_set(object, "\xFF", C.peri_json_integer(1)))
    assert.equal("[]", dump(array))
    assert.equal("{}", dump(object))
  end)

  it("appends an empty slice without a pointer as an empty string", function()
    local json = ffi.gc(C.peri_json_string(ffi.new("struct peri_slice")), C.peri_json_unref)
    assert.equal('""', dump(json))
  end)

  it("compares values, whatever the order of members", function()
    local same = {
      { "null", "null" },
      { "1", "1" },
      { '{"a":1,"b":[2,{"c":"x"}]}', '{"b":[2,{"c":"x"}],"a":1}' },
      { "[]", "[]" },
    }
    for _, pair in ipairs(same) do
      assert.is_true(C.peri_json_equal(parse(pair[1]), parse(pair[2])))
    end
    local other = {
      { "1", "1.0" },
      { "[1,2]", "[2,1]" },
      { '{"a":1}', '{"a":1,"b":2}' },
      { '{"a":null}', "{}" },
      { '"1"', "1" },
      { "[]", "{}" },
    }
    for _, pair in ipairs(other) do
      assert.is_false(C.peri_json_equal(parse(pair[1]), parse(pair[2])))
    end
    assert.is_true(C.peri_json_equal(nil, nil))
    assert.is_false(C.peri_json_equal(nil, parse("null")))
  end)

  it("visits members in order and stops when told", function()
    local json = parse('{"b":1,"a":"x","c":null}')
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, C.shim_json_members(json, -1, buffer))
    assert.equal("b=2;a=4;c=0;", cffi.string(C.peri_buffer_slice(buffer)))
    buffer.len = 0
    assert.equal(7, C.shim_json_members(json, 1, buffer))
    assert.equal("b=2;", cffi.string(C.peri_buffer_slice(buffer)))
    assert.equal(0, C.shim_json_members(parse("[1]"), -1, buffer))
    C.peri_buffer_done(buffer)
  end)

  it("counts references from several threads", function()
    local json = parse('{"a":[1,2,3]}')
    C.shim_json_share(json, 50000)
    assert.equal('{"a":[1,2,3]}', dump(json))
  end)
end)
