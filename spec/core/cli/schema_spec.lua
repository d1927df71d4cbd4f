local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/schema.h" })
local descriptors = require("spec.core.cli.descriptors")

describe("a schema", function()
  local schema

  setup(function()
    schema = descriptors.schema()
  end)

  it("finds messages, enums and methods by their full names", function()
    for _, name in ipairs({ ".kitchen.v1.Everything", ".kitchen.v1.Everything.Inner", ".kitchen.v1.Everything.CountsEntry", ".google.protobuf.Struct" }) do
      assert.truthy(C.peri_schema_message(schema, name) ~= nil, name)
    end
    assert.truthy(C.peri_schema_enum(schema, ".kitchen.v1.Colour") ~= nil)
    assert.truthy(C.peri_schema_enum(schema, ".google.protobuf.NullValue") ~= nil)
    assert.truthy(C.peri_schema_method(schema, cffi.slice("kitchen.v1.Kitchen"), "Echo") ~= nil)
  end)

  it("finds nothing by other names", function()
    for _, name in ipairs({ "", ".", "kitchen.v1.Everything", ".kitchen.v1", ".kitchen.v1.Every", ".kitchen.v1.Everything.", ".kitchen.v1.Everything.inner" }) do
      assert.is_true(C.peri_schema_message(schema, name) == nil, name)
      assert.is_true(C.peri_schema_enum(schema, name) == nil, name)
    end
    for _, name in ipairs({ "", "Kitchen", "kitchen.v1", "kitchen.v1.Kitchens", ".kitchen.v1.Kitchen" }) do
      assert.is_true(C.peri_schema_method(schema, cffi.slice(name), "Echo") == nil, name)
    end
    assert.is_true(C.peri_schema_method(schema, cffi.slice("kitchen.v1.Kitchen"), "Ech") == nil)
  end)

  it("says what is missing", function()
    local part = C.peri_schema_new()
    local files = descriptors.files()
    assert.equal(0, C.peri_schema_add(part, cffi.slice(files[#files])))
    assert.equal(0, C.peri_schema_add(part, cffi.slice(files[#files])))
    assert.equal("google/protobuf/duration.proto", ffi.string(C.peri_schema_missing(part)))
    for _, file in ipairs(files) do
      assert.equal(0, C.peri_schema_add(part, cffi.slice(file)))
    end
    assert.is_true(C.peri_schema_missing(part) == nil)
    assert.equal(C.PERI_EPROTO, C.peri_schema_add(part, cffi.slice("\255")))
    C.peri_schema_free(part)
    C.peri_schema_free(nil)
  end)
end)
