--- Reads LuaLS notes: the classes, aliases and functions of a file, with their words.
local M = {}

local IDENTIFIER = "^[%a_][%w_%.]*"

local scan_type

-- Skips a bracket and all within it; quotes do not occur there.
local function skip_bracket(text, at)
  local depth = 0
  for i = at, #text do
    local char = text:sub(i, i)
    depth = depth + ((char == "(" or char == "<" or char == "{") and 1 or 0) - ((char == ")" or char == ">" or char == "}") and 1 or 0)
    if depth == 0 then
      return i + 1
    end
  end
  error("a bracket is not closed: " .. text)
end

-- What follows `fun(…)`: a type, or several with commas between.
local function scan_results(text, at)
  local colon = text:match("^%s*:%s*()", at)
  if not colon then
    return at
  end
  at = scan_type(text, colon)
  while text:match("^,%s*[%a_]", at) do
    at = scan_type(text, text:match("^,%s*()", at))
  end
  return at
end

local function scan_one(text, at)
  local char = text:sub(at, at)
  if char == '"' then
    return text:find('"', at + 1, true) + 1
  elseif char == "(" then
    return skip_bracket(text, at)
  end
  local stop = select(2, text:find(IDENTIFIER, at))
  assert(stop, "a type is expected: " .. text:sub(at))
  local after = stop + 1
  if text:sub(after, after) == "(" and text:sub(at, stop) == "fun" then
    return scan_results(text, skip_bracket(text, after))
  elseif text:sub(after, after) == "<" then
    return skip_bracket(text, after)
  end
  return after
end

-- Where the type that begins at `at` ends.
function scan_type(text, at)
  at = scan_one(text, at)
  while true do
    local suffix = text:match("^%[%]()", at) or text:match("^%?()", at)
    local bar = text:match("^%s*|%s*()", at)
    if suffix then
      at = suffix
    elseif bar then
      at = scan_one(text, bar)
    else
      return at
    end
  end
end

--- Splits "string? text the rest" behind its type.
---@return string type
---@return string rest
function M.split_type(text)
  local at = scan_type(text, 1)
  return text:sub(1, at - 1), (text:sub(at):gsub("^%s+", ""))
end

local function new_block()
  return { doc = {}, fields = {}, params = {}, returns = {} }
end

local readers = {}

function readers.meta(file, _, text)
  file.module = text:match("%S+") or ""
end

function readers.class(_, block, text)
  local name, parent = text:match("^([%w%.]+)%s*:?%s*([%w%.]*)")
  block.class = { name = name, parent = parent ~= "" and parent or nil }
end

function readers.field(_, block, text)
  local name, optional, rest = text:match("^(%b[])(%??)%s+(.*)$")
  if not name then
    name, optional, rest = text:match("^([%w_]+)(%??)%s+(.*)$")
  end
  if name == "private" then
    return
  end
  local type, doc = M.split_type(rest)
  block.fields[#block.fields + 1] = { name = name, optional = optional == "?", type = type, doc = doc }
end

function readers.operator(_, block, text)
  block.operator = text:match("^%w+")
end

function readers.alias(file, block, text)
  local name, rest = text:match("^([%w%.]+)%s+(.*)$")
  file.aliases[#file.aliases + 1] = { name = name, type = (M.split_type(rest)), doc = table.concat(block.doc, "\n") }
  block.doc = {}
end

function readers.param(_, block, text)
  local name, optional, rest = text:match("^([%w_%.]+)(%??)%s+(.*)$")
  local type, doc = M.split_type(rest)
  block.params[#block.params + 1] = { name = name, optional = optional == "?", type = type, doc = doc }
end

readers["return"] = function(_, block, text)
  local type, rest = M.split_type(text)
  local name, doc = rest:match("^([%w_%.]+)%s*(.*)$")
  block.returns[#block.returns + 1] = { type = type, name = name, doc = doc or "" }
end

function readers.type(_, block, text)
  block.type = M.split_type(text)
end

readers.generic = function() end
readers["private"] = readers.generic

local function add_function(file, block, owner, separator, name)
  local class = file.variables[owner]
  local list = class and class.methods or file.functions
  list[#list + 1] = {
    name = name,
    method = separator == ":",
    doc = table.concat(block.doc, "\n"),
    params = block.params,
    returns = block.returns,
  }
end

local function end_class(file, block, variable)
  local class = block.class
  class.doc, class.fields, class.methods = table.concat(block.doc, "\n"), block.fields, {}
  class.operator = block.operator
  file.classes[#file.classes + 1] = class
  if variable then
    file.variables[variable] = class
  end
end

-- A line of code ends the notes above it.
local function read_code(file, block, line)
  local owner, separator, name = line:match("^function ([%w_]+)([%.:])([%w_]+)")
  local variable = line:match("^local ([%w_]+) = ")
  local field = line:match("^  ([%w_]+) = ")
  if block.class then
    end_class(file, block, variable)
  elseif owner then
    add_function(file, block, owner, separator, name)
  elseif field and block.type then
    file.values[#file.values + 1] = { name = field, type = block.type, doc = table.concat(block.doc, "\n") }
  elseif #block.doc > 0 and not file.doc and (variable or line == "") then
    file.doc = table.concat(block.doc, "\n")
  end
end

--- Reads one file's text.
---@param text string
---@return table file module, doc, values, functions, classes (doc, parent, fields, methods), aliases
function M.parse(text)
  local file = { values = {}, functions = {}, classes = {}, aliases = {}, variables = {} }
  local block = new_block()
  for line in (text .. "\n"):gmatch("([^\n]*)\n") do
    local tag, rest = line:match("^%s*%-%-%-@(%w+)%s*(.*)$")
    local words = line:match("^%s*%-%-%- ?(.*)$")
    if tag then
      assert(readers[tag], "what does ---@" .. tag .. " mean?")(file, block, rest)
    elseif words then
      block.doc[#block.doc + 1] = words
    else
      read_code(file, block, line)
      block = new_block()
    end
  end
  return file
end

--- The names that a class has, with those of its parents, and the kind of each.
---@param classes table<string, table> by name
---@return table<string, table> members by name: fields, and methods
function M.members(classes, name)
  local class = assert(classes[name], name .. " is declared nowhere")
  local members = class.parent and M.members(classes, class.parent) or {}
  for _, field in ipairs(class.fields) do
    members[field.name] = field
  end
  for _, method in ipairs(class.methods) do
    members[method.name] = method
  end
  return members
end

return M
