local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/output.h", "base/json.h" })

local function text_of(buffer)
  local text = buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or ""
  C.peri_buffer_done(buffer)
  return text
end

local function dump(json)
  local buffer = ffi.new("struct peri_buffer")
  assert.equal(0, C.peri_json_dump(json, false, buffer))
  C.peri_json_unref(json)
  return text_of(buffer)
end

describe("output", function()
  it("writes base64", function()
    for bytes, expected in pairs({
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
      ["\0\255\254"] = "AP/+", ["\251\239\190"] = "++++",
    }) do
      local buffer = ffi.new("struct peri_buffer")
      assert.equal(0, C.peri_cli_base64(cffi.slice(bytes), buffer))
      assert.equal(expected, text_of(buffer))
    end
  end)

  it("tells text from other bytes", function()
    for bytes, expected in pairs({
      ["Grüße"] = '{"value":"Grüße"}',
      ["a\0b"] = '{"value":"a\\u0000b"}',
      [""] = '{"value":""}',
      ["\255"] = '{"value_base64":"/w=="}',
    }) do
      local object = C.peri_json_object()
      assert.equal(0, C.peri_cli_json_bytes(object, "value", cffi.slice(bytes)))
      assert.equal(expected, dump(object))
    end
  end)

  it("sets members until one fails", function()
    local object = C.peri_cli_json_with(C.peri_json_object(), "a", C.peri_json_integer(1))
    object = C.peri_cli_json_with(object, "b", C.peri_json_string(cffi.slice("x")))
    assert.equal('{"a":1,"b":"x"}', dump(object))
    assert.is_true(C.peri_cli_json_with(C.peri_json_object(), "a", nil) == nil)
    assert.is_true(C.peri_cli_json_with(nil, "a", C.peri_json_integer(1)) == nil)
    assert.is_true(C.peri_cli_json_with(nil, "a", nil) == nil)
  end)

  it("reads labels as metrics write them", function()
    for labels, expected in pairs({
      [""] = "{}",
      ['group="countries",result="hit"'] = '{"group":"countries","result":"hit"}',
      ['a="quote \\" back \\\\ line \\n comma , equals ="'] = '{"a":"quote \\" back \\\\ line \\n comma , equals ="}',
      ['a=""'] = '{"a":""}',
      ['a="open'] = '{"a":"open"}',
      ["a"] = '{"a":""}',
    }) do
      assert.equal(expected, dump(C.peri_cli_labels(cffi.slice(labels))), labels)
    end
  end)

  it("makes objects and arrays of values that may be missing", function()
    local members = ffi.new("struct peri_cli_member[2]", {
      { key = "a", value = C.peri_cli_json_number(7) },
      { key = "b", value = C.peri_json_integer(1) },
    })
    local array = C.peri_cli_json_append(C.peri_json_array(), C.peri_cli_json_object(members, 2))
    assert.equal('[{"a":7,"b":1}]', dump(array))
    members[0].value, members[1].value = C.peri_cli_json_number(7), nil
    assert.equal(nil, C.peri_cli_json_object(members, 2))
    assert.equal(nil, C.peri_cli_json_append(C.peri_json_array(), nil))
    assert.equal(nil, C.peri_cli_json_append(nil, C.peri_json_object()))
  end)

  it("cleans what others wrote", function()
    local function clean(words)
      local buffer = ffi.new("struct peri_buffer")
      assert.equal(0, C.peri_buffer_add(buffer, "> ", 2))
      assert.equal(0, C.peri_cli_add_clean(cffi.slice(words), buffer))
      return text_of(buffer)
    end
    assert.equal("> a?[31m b", clean("a\27[31m\nb"))
    assert.equal("> a??", clean("a\255\254"))
    assert.equal("> ", clean(""))
  end)

  it("keeps the lines of what others wrote", function()
    local function lines(words)
      local buffer = ffi.new("struct peri_buffer")
      assert.equal(0, C.peri_cli_add_lines(cffi.slice(words), "> ", buffer))
      return text_of(buffer)
    end
    assert.equal("a?\n> b c\n> ?31m", lines("a\27\nb\tc\n\194\15531m\n"))
    assert.equal("a\n> \n> b", lines("a\n\nb"))
    assert.equal("", lines(""))
    assert.equal("", lines("\n"))
  end)
end)
