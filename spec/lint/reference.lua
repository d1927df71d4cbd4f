--- Writes the reference page of what policies can touch, from the notes in lua/perigee/_meta, the
--- modules in lua/perigee and the schemas of the shipped policies.
local meta = require("spec.lint.meta")
local tree = require("spec.lint.tree")

local M = { page = "lua/REFERENCE.md" }

local Page = {}
Page.__index = Page

function Page:add(...)
  for _, line in ipairs({ ... }) do
    self.lines[#self.lines + 1] = line
  end
end

--- A paragraph, or an example: lines that belong together stay as they are.
function Page:words(doc)
  if doc and doc ~= "" then
    self:add(doc, "")
  end
end

-- "perigee.Duration" is called `Duration` on this page.
local function short(type)
  return (type:gsub("perigee%.(%u)", "%1"))
end

local function cell(text)
  return (text:gsub("|", "\\|"):gsub("\n", " "))
end

local function code(text)
  return "`" .. cell(text) .. "`"
end

local function table_of(page, head, rows)
  if #rows == 0 then
    return
  end
  page:add("| " .. table.concat(head, " | ") .. " |", "|" .. ("---|"):rep(#head))
  for _, row in ipairs(rows) do
    page:add("| " .. table.concat(row, " | ") .. " |")
  end
  page:add("")
end

-- `find(text: string, from?: integer) → first?: integer`
local function signature(prefix, item)
  local params, results = {}, {}
  for i, param in ipairs(item.params) do
    params[i] = ("%s%s: %s"):format(param.name, param.optional and "?" or "", short(param.type))
  end
  for i, result in ipairs(item.returns) do
    results[i] = (result.name and result.name .. ": " or "") .. short(result.type)
  end
  local text = ("%s%s%s(%s)"):format(prefix, item.method and ":" or ".", item.name, table.concat(params, ", "))
  return text .. (#results > 0 and " → " .. table.concat(results, ", ") or "")
end

-- What is said of parameters and results.
local function remarks(item)
  local list = {}
  for _, part in ipairs({ item.params, item.returns }) do
    for _, each in ipairs(part) do
      if each.doc ~= "" then
        list[#list + 1] = ("`%s`: %s"):format(each.name, each.doc)
      end
    end
  end
  return list
end

local function add_functions(page, prefix, functions)
  for _, item in ipairs(functions) do
    page:add("#### `" .. signature(prefix, item) .. "`", "")
    page:words(item.doc)
    local list = remarks(item)
    for _, remark in ipairs(list) do
      page:add("- " .. remark)
    end
    page:add(#list > 0 and "" or nil)
  end
end

-- Methods take little: one row each.
local function method_words(method)
  local parts = remarks(method)
  if method.doc ~= "" then
    table.insert(parts, 1, method.doc)
  end
  for i, part in ipairs(parts) do
    parts[i] = cell(part):gsub("%.$", "")
  end
  return table.concat(parts, ". ")
end

local function add_class(page, level, class)
  page:add(level and level .. " " .. class.name:gsub("^perigee%.", "") or nil, level and "" or nil)
  page:words(class.doc)
  if class.parent then
    page:add(("As `%s`, and:"):format(short(class.parent)), "")
  end
  local rows = {}
  for _, field in ipairs(class.fields) do
    if not field.name:find("%[") then
      rows[#rows + 1] = { code(field.name .. (field.optional and "?" or "")), code(short(field.type)), cell(field.doc) }
    end
  end
  table_of(page, { "field", "type", "" }, rows)
  rows = {}
  for _, method in ipairs(class.methods) do
    rows[#rows + 1] = { code(signature("", method)), method_words(method) }
  end
  table_of(page, { "method", "" }, rows)
end

local function add_aliases(page, file)
  for _, alias in ipairs(file.aliases) do
    page:add(("**%s** is %s. %s"):format(short(alias.name), code(alias.type):gsub("\\|", "|"), alias.doc), "")
  end
end

local function add_module(page, file)
  page:add("### " .. file.module, "")
  page:words(file.doc)
  add_aliases(page, file)
  for _, value in ipairs(file.values) do
    page:add(("#### `%s.%s`"):format(file.module:match("%w+$"), value.name), "", value.doc, "")
  end
  add_functions(page, file.module:match("[%w_]+$"), file.functions)
  for _, class in ipairs(file.classes) do
    add_class(page, "####", class)
  end
end

-- Builtins that are as everywhere fit into one line.
local function add_builtins(page, class)
  local plain, rows = {}, {}
  for _, field in ipairs(class.fields) do
    if field.doc == "" then
      plain[#plain + 1] = "`" .. field.name .. "`"
    else
      rows[#rows + 1] = { code(field.name), cell(field.doc) }
    end
  end
  page:add("**" .. class.name:match("(%u%l+)%u?%l*$") .. "**: " .. class.doc:gsub("\n", " "), "")
  page:add(table.concat(plain, ", ") .. ".", "")
  table_of(page, { "differs", "" }, rows)
end

--- The declaration in a policy's file, which is loaded without anything that it requires.
---@param path string below the project's root
---@return table
function M.declaration(path)
  local nothing = setmetatable({}, {
    __index = function()
      return function() end
    end,
  })
  local function declare(declaration)
    return declaration
  end
  local policy = { balancer = declare, picker = declare, fallback = declare }
  local chunk = assert(loadstring(tree.read(path), "@" .. path))
  local env = setmetatable({}, { __index = _G })
  env.require = function(name)
    return name == "perigee.policy" and policy or nothing
  end
  return setfenv(chunk, env)()
end

local function shown(value)
  if type(value) == "table" then
    return next(value) == nil and "{}" or nil
  end
  return type(value) == "string" and ('"%s"'):format(value) or value ~= nil and tostring(value) or nil
end

local function option_words(option)
  local parts = {}
  if option.required then
    parts[1] = "required"
  end
  if option.default ~= nil then
    parts[#parts + 1] = "default `" .. cell(shown(option.default)) .. "`"
  end
  if option.values then
    parts[#parts + 1] = 'one of `"' .. table.concat(option.values, '"`, `"') .. '"`'
  end
  for _, bound in ipairs({ "min", "max" }) do
    if option[bound] then
      local measured = (option.type == "string" or option.type == "list") and "its length " or ""
      parts[#parts + 1] = ("%sat %s %s"):format(measured, bound == "min" and "least" or "most", option[bound])
    end
  end
  parts[#parts + 1] = option.help and cell(option.help)
  return table.concat(parts, "; ")
end

local function add_policy(page, path)
  local kind, name = path:match("(%l+)/([%w_]+)%.lua$")
  page:add(("#### %s `%s`"):format(kind, name), "")
  local doc = {}
  for line in tree.read(path):gmatch("([^\n]*)\n") do
    if not line:match("^%-%-%-") then
      break
    end
    doc[#doc + 1] = line:match("^%-%-%- ?(.*)$"):gsub("^  (.*)$", "    %1")
  end
  page:words(table.concat(doc, "\n"))
  local rows, names = {}, {}
  local schema = M.declaration(path).schema or {}
  for option in pairs(schema) do
    names[#names + 1] = option
  end
  table.sort(names)
  for i, option in ipairs(names) do
    rows[i] = { code(option), code(schema[option].type or "any"), option_words(schema[option]) }
  end
  table_of(page, { "option", "type", "" }, rows)
end

local function read(path)
  return meta.parse(tree.read(path))
end

local function add_start(page)
  page:add("# What a policy can touch", "")
  page:add("Written by `spec/lint/write-reference` from `lua/perigee/_meta`; a spec fails when it is old, or when a name on it is not", "what C registers. Editors with LuaLS know all of this from the same files, given `{ \"runtime.version\": \"LuaJIT\", \"workspace.library\": [\"…/lua\"] }` in", "`.luarc.json`: the folder `lua` below `share/perigee` where Perigee is installed, else in its sources.", "")
  page:add("- [Policies](#policies) · [Selftests](#selftests) · [Handles](#handles) · [Modules](#modules) · [Builtins](#builtins)")
  page:add("- [Limits](#limits) · [Shipped policies](#shipped-policies)", "")
  page:add('Misuse raises. A failure is `nil, "ENAME: text", "ENAME"`. A name with `?` may be left out, a type with `?` may be nil.', "")
end

local function add_declarations(page)
  local file = read("lua/perigee/_meta/policy.lua")
  page:add("## Policies", "")
  page:words(file.doc)
  for _, class in ipairs(file.classes) do
    add_class(page, "###", class)
  end
  add_aliases(page, file)
  page:add("### perigee.policy", "")
  add_functions(page, "policy", file.functions)
end

-- `alone`: the class that the title is for.
local function add_file(page, title, path, alone)
  local file = read(path)
  page:add("## " .. title, "")
  page:words(file.doc)
  for _, class in ipairs(file.classes) do
    add_class(page, class.name ~= alone and "###" or nil, class)
  end
end

--- The page's text.
---@return string
function M.write()
  local page = setmetatable({ lines = {} }, Page)
  add_start(page)
  add_declarations(page)
  add_file(page, "Selftests", "lua/perigee/_meta/try.lua", "perigee.Try")
  add_file(page, "Handles", "lua/perigee/_meta/handles.lua")
  page:add("## Modules", "")
  for _, path in ipairs(tree.files("lua/perigee", ".lua")) do
    local file = read(path)
    if not path:find("/_meta/", 1, true) then
      file.module = path:match("^lua/(.*)%.lua$"):gsub("/", ".")
    end
    if file.module and file.module ~= "" and file.module ~= "perigee.policy" then
      add_module(page, file)
    end
  end
  page:add("## Builtins", "")
  local sandbox = read("lua/perigee/_meta/sandbox.lua")
  page:words(sandbox.doc)
  for _, class in ipairs(sandbox.classes) do
    add_builtins(page, class)
  end
  add_file(page, "Limits", "lua/perigee/_meta/limits.lua", "perigee.Limits")
  page:add("## Shipped policies", "", "To be copied and changed.", "")
  for _, path in ipairs(tree.files("plugins", ".lua")) do
    add_policy(page, path)
  end
  return (table.concat(page.lines, "\n"):gsub("\n+$", "\n"):gsub("\n\n\n+", "\n\n"))
end

return M
