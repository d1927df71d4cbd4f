---@meta perigee.json

--- JSON, read and written in C.
---
--- ```lua
--- local json = require("perigee.json")
---
--- local value, err, name = json.decode('{"scores": [1, 2, null]}')
--- if value and value.scores[3] == json.null then
---   value.scores[3] = 0
--- end
--- local text = json.encode({ name = "Tom", tags = json.array({}) })
--- ```
local json = {
  --- JSON's null, which no table could hold as nil.
  ---@type lightuserdata
  null = nil,
}

--- Whole numbers beyond 2^53 lose digits. A failure is EINVAL, also for what is nested too deep.
---@param text string
---@return any value
---@return string? err with the line
---@return string? name
function json.decode(text) end

--- Compact text with sorted keys. A table is an array when it came from one, was marked by
--- array(), or has the keys 1 … n; an empty one is an object. A failure is EINVAL.
---@param value any
---@return string? text
---@return string? err with the path of the value that JSON has no form for
---@return string? name
function json.encode(value) end

--- Marks a table as an array, also when it is empty.
---@generic T: table
---@param list? T a new one by default
---@return T list
function json.array(list) end

return json
