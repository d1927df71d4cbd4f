--- How long functions are, in C and in Lua, whatever their layout.
local tree = require("spec.lint.tree")

local M = {}

---@class lint.Function
---@field first integer its first line, with the signature
---@field last integer
---@field own integer lines of it that belong to no function inside it

--- Replaces comments, quotes and directives by blanks, keeping the lines.
---@param text string
---@param special string the characters that may begin one
---@param patterns { [1]: string, [2]: fun(text: string, start: integer): integer? }[]
local function blank(text, special, patterns)
  local pieces, at = {}, 1
  while at <= #text do
    local start = text:find(special, at) or #text + 1
    pieces[#pieces + 1] = text:sub(at, start - 1)
    local stop
    for _, pattern in ipairs(patterns) do
      if not stop and text:find("^" .. pattern[1], start) then
        stop = pattern[2](text, start)
      end
    end
    pieces[#pieces + 1] = stop and text:sub(start, stop):gsub("[^\n]", " ") or text:sub(start, start)
    at = (stop or start) + 1
  end
  return table.concat(pieces)
end

--- The end of a quoted text that begins at `start`.
local function quote_end(text, start)
  local quote, at = text:sub(start, start), start + 1
  while at <= #text do
    local char = text:sub(at, at)
    if char == "\\" then
      at = at + 1
    elseif char == quote or char == "\n" then
      return at
    end
    at = at + 1
  end
  return #text
end

local function line_end(text, start)
  return (text:find("\n", start, true) or #text + 1) - 1
end

local function directive_end(text, start)
  local at = line_end(text, start)
  while text:sub(at, at) == "\\" and at < #text do
    at = line_end(text, at + 2)
  end
  return at
end

local c_blanks = {
  { "//", line_end },
  {
    "/%*",
    function(text, start)
      return select(2, text:find("*/", start + 2, true)) or #text
    end,
  },
  { "\"", quote_end },
  { "'", quote_end },
  { "#", directive_end },
}

local function long_end(text, start)
  local open, level = text:match("^(%-*%[(=*)%[)", start)
  if not open then
    return nil
  end
  return select(2, text:find("]" .. level .. "]", start + #open, true)) or #text
end

local lua_blanks = {
  {
    "%-%-",
    function(text, start)
      return long_end(text, start) or line_end(text, start)
    end,
  },
  { "%[=*%[", long_end },
  { "\"", quote_end },
  { "'", quote_end },
}

--- Functions of a C text: what has a body at the outermost level behind a `)`.
---@param text string
---@return lint.Function[]
function M.in_c(text)
  text = blank(text, "[/\"'#]", c_blanks)
  local found, depth, line = {}, 0, 1
  local first, opened, last_char -- where the declaration and its body began
  for char in text:gmatch("[^ \t]") do
    if char == "\n" then
      line = line + 1
    elseif char == "}" then
      depth = depth - 1
      if depth == 0 and opened then
        found[#found + 1] = { first = opened, last = line, own = line - opened + 1 }
        first, opened = nil, nil
      end
    else
      if depth == 0 then
        first = first or line
        opened = char == "{" and last_char == ")" and first or nil
        first = char ~= ";" and first or nil
      end
      depth = depth + (char == "{" and 1 or 0)
    end
    last_char = char ~= "\n" and char or last_char
  end
  return found
end

local openers = { ["function"] = true, ["if"] = true, ["do"] = true, ["repeat"] = true }
local closers = { ["end"] = true, ["until"] = true }

--- Ends a block; a function's length is added to what its outer function holds.
local function close(blocks, line, found)
  local block = table.remove(blocks)
  if not block or block.word ~= "function" then
    return
  end
  local length = line - block.first + 1
  found[#found + 1] = { first = block.first, last = line, own = length - block.inside }
  for outer = #blocks, 1, -1 do
    if blocks[outer].word == "function" then
      blocks[outer].inside = blocks[outer].inside + length
      return
    end
  end
end

--- Functions of a Lua text, inner ones first.
---@param text string
---@return lint.Function[]
function M.in_lua(text)
  local found, blocks = {}, {}
  for number, line in tree.lines(blank(text, "[%-%[\"']", lua_blanks)) do
    for word in line:gmatch("[%a_][%w_]*") do
      if openers[word] then
        blocks[#blocks + 1] = { word = word, first = number, inside = 0 }
      elseif closers[word] then
        close(blocks, number, found)
      end
    end
  end
  return found
end

return M
