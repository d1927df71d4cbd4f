--- Texts with placeholders, such as "http://origin/{group}/{key}".
---
--- ```lua
--- local template = require("perigee.template")
---
--- local url = assert(template.compile("http://origin/{key}", { "key" }))
--- local text = url:expand({ key = "a b" }) -- "http://origin/a%20b"
--- ```
local http = require("perigee.http")

local M = {}

---@class perigee.Template
---@field private parts table[]
local Template = {}
Template.__index = Template

--- Splits `text` at its placeholders, once.
---@param text string "{{" and "}}" stand for braces
---@param names string[] the placeholders that it may hold
---@return perigee.Template? template
---@return string? err what is wrong with the text
function M.compile(text, names)
  local known, parts = {}, {}
  for _, name in ipairs(names) do
    known[name] = true
  end
  local from = 1
  while from <= #text do
    local brace = text:find("[{}]", from)
    if not brace then
      parts[#parts + 1] = { text = text:sub(from) }
      break
    end
    if brace > from then
      parts[#parts + 1] = { text = text:sub(from, brace - 1) }
    end
    local char = text:sub(brace, brace)
    local name = text:match("^{([%a_]+)}", brace)
    if text:sub(brace + 1, brace + 1) == char then
      parts[#parts + 1] = { text = char }
      from = brace + 2
    elseif name and known[name] then
      parts[#parts + 1] = { name = name }
      from = brace + #name + 2
    else
      local want = "{" .. table.concat(names, "}, {") .. "}"
      return nil, ("%s at %d of %q is none of %s"):format(text:sub(brace, brace + 20), brace, text, want)
    end
  end
  return setmetatable({ parts = parts }, Template)
end

--- The text with every placeholder replaced by its percent-encoded value.
---@param values table<string, string>
---@return string
function Template:expand(values)
  local out = {}
  for i, part in ipairs(self.parts) do
    out[i] = part.text or http.escape(values[part.name])
  end
  return table.concat(out)
end

return M
