local meta = require("spec.lint.meta")
local reference = require("spec.lint.reference")
local tree = require("spec.lint.tree")

-- The examples in some words.
local function examples(doc)
  local list = {}
  for text in (doc or ""):gmatch("```lua\n(.-)\n```") do
    list[#list + 1] = text
  end
  return list
end

describe("the reference page", function()
  it("is what its sources say", function()
    local page = reference.write()
    assert.is_true(page == tree.read(reference.page), reference.page .. " is old: type spec/lint/write-reference")
  end)

  it("shows every module, each with an example in Lua", function()
    local page, count = tree.read(reference.page), 0
    for _, path in ipairs(tree.files("lua/perigee", ".lua")) do
      local file = meta.parse(tree.read(path))
      local module = file.module or path:match("^lua/(.*)%.lua$"):gsub("/", ".")
      if module ~= "" then
        assert.truthy(page:find("\n### " .. module .. "\n", 1, true), module)
        assert.equal(1, #examples(file.doc), path)
        count = count + 1
      end
    end
    assert.is_true(count >= 12, count)
    for _, text in ipairs(examples(page)) do
      assert(loadstring(text) or loadstring("return {" .. text .. "}"), text)
    end
  end)

  it("shows every shipped policy and its options", function()
    local page = tree.read(reference.page)
    for _, path in ipairs(tree.files("plugins", ".lua")) do
      local declaration = reference.declaration(path)
      local _, start = page:find(("#### %s `%s`"):format(path:match("(%l+)/[%w_]+%.lua$"), declaration.name), 1, true)
      for option in pairs(declaration.schema) do
        assert.truthy(page:find(("| `%s` |"):format(option), start, true), path)
      end
    end
  end)

  it("has no link that leads nowhere", function()
    local page, headings = tree.read(reference.page), {}
    for heading in page:gmatch("\n##+ ([^\n]+)") do
      headings[heading:lower():gsub("[^%w ]", ""):gsub(" ", "-")] = true
    end
    for link in page:gmatch("%]%(#([^)]+)%)") do
      assert.is_true(headings[link], link)
    end
  end)
end)

describe("the reading of types", function()
  it("knows where a type ends", function()
    for text, expected in pairs({
      ["string the rest"] = "string",
      ["string? text"] = "string?",
      ["perigee.Endpoint[] list"] = "perigee.Endpoint[]",
      ["table<string, string> by name"] = "table<string, string>",
      ['"a" | "b" one of them'] = '"a" | "b"',
      ["string|false|nil text"] = "string|false|nil",
      ["fun(self: table, list: table<string, any>): table?, string? state"] = "fun(self: table, list: table<string, any>): table?, string?",
      ["fun(a: integer): (ok: any, why: string?) raises"] = "fun(a: integer): (ok: any, why: string?)",
      ["fun(...: any) words: more"] = "fun(...: any)",
      ["string|(fun(): string?) pieces"] = "string|(fun(): string?)",
    }) do
      assert.equal(expected, (meta.split_type(text)), text)
    end
  end)

  it("reads classes, functions and what is said of them", function()
    local file = meta.parse(table.concat({
      "---@meta perigee.x",
      "",
      "--- What it is.",
      "local x = {",
      "  --- Nothing.",
      "  ---@type lightuserdata",
      "  null = nil,",
      "}",
      "",
      "--- A thing.",
      "---@class perigee.Thing: perigee.Other",
      "---@field a? string the first",
      "local thing = {}",
      "",
      "---@param b integer from 1",
      "---@return string? text the second",
      "function thing:get(b) end",
      "",
      "--- Makes one.",
      "function x.make() end",
      "return x",
    }, "\n"))
    assert.same({ "perigee.x", "What it is." }, { file.module, file.doc })
    assert.same({ { name = "null", type = "lightuserdata", doc = "Nothing." } }, file.values)
    local thing = file.classes[1]
    assert.same({ "perigee.Thing", "perigee.Other", "A thing." }, { thing.name, thing.parent, thing.doc })
    assert.same({ { name = "a", optional = true, type = "string", doc = "the first" } }, thing.fields)
    assert.same({ "get", true, "integer", "from 1" }, { thing.methods[1].name, thing.methods[1].method, thing.methods[1].params[1].type, thing.methods[1].params[1].doc })
    assert.same({ { type = "string?", name = "text", doc = "the second" } }, thing.methods[1].returns)
    assert.same({ "make", false, "Makes one." }, { file.functions[1].name, file.functions[1].method, file.functions[1].doc })
  end)
end)
