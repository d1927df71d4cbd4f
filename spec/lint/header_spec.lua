local headers = require("spec.lint.headers")
local tree = require("spec.lint.tree")

local function check(path, text)
  return table.concat(headers.check(path, text), "\n")
end

describe("the headers", function()
  it("hold only #pragma once and #include before the compiler", function()
    local complaints = {}
    for _, path in ipairs(tree.files("core spec/core", ".h")) do
      complaints[#complaints + 1] = check(path, tree.read(path))
    end
    assert.equal("", (table.concat(complaints, "\n"):gsub("^\n+", "")))
  end)

  it("can be declared through the FFI, each on its own", function()
    local faults, declared = {}, 0
    for _, path in ipairs(tree.files("core spec/core", ".h")) do
      if not headers.is_inner(path) then
        local fault = headers.declare((path:gsub("^spec/", ""):gsub("^core/", "")))
        faults[#faults + 1] = fault ~= "" and path .. ": " .. fault or nil
        declared = declared + 1
      end
    end
    assert.is_true(declared > 10)
    assert.equal("", table.concat(faults, "\n"))
  end)
end)

describe("the check of headers", function()
  it("refuses other directives", function()
    for _, line in ipairs({ "#define A 1", "#ifdef A", "  # if 1", "#pragma pack(1)", "#endif" }) do
      local complaint = check("core/base/a.h", "#pragma once\n\n" .. line .. "\n")
      assert.truthy(complaint:find("core/base/a.h:3: #", 1, true), line)
    end
    assert.equal("", check("core/base/a.h", "#pragma once\n\n#include <stddef.h>\n#include \"base/types.h\"\n"))
  end)

  it("wants #pragma once first", function()
    assert.equal("core/base/a.h:1: does not begin with #pragma once", check("core/base/a.h", "\n#pragma once\n"))
    assert.equal("core/base/a.h:1: does not begin with #pragma once", check("core/base/a.h", "int a;\n"))
  end)

  it("allows one macro in one header", function()
    local text = "#pragma once\n#define A 1\n"
    assert.equal("", check(headers.macro_header, text))
    assert.truthy(check(headers.macro_header, text .. "#define B 1\n"):find(":3: #define", 1, true))
  end)

  it("knows headers for C alone", function()
    assert.is_true(headers.is_inner("core/base/container.h"))
    assert.is_true(headers.is_inner("core/loop/private.h"))
    assert.is_false(headers.is_inner("core/base/types.h"))
    assert.is_false(headers.is_inner("core/base/json.h"))
  end)

  it("notices what the FFI cannot read", function()
    assert.equal("", headers.declare(nil, "require('ffi').cdef('int a;')"))
    assert.truthy(headers.declare(nil, "require('ffi').cdef('nonsense a;')"):find("nonsense", 1, true))
    assert.truthy(headers.declare("base/absent.h"):find("absent.h", 1, true))
  end)
end)
