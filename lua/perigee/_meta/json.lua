---@meta perigee.json

local json = {
  --- JSON's null, which no table could hold as nil.
  ---@type lightuserdata
  null = nil,
}

--- Whole numbers beyond 2^53 lose digits.
---@param text string
---@return any value
---@return string? err with the line
---@return string? name
function json.decode(text) end

--- Compact text with sorted keys. A table is an array when it came from one, was
--- marked by array(), or has the keys 1 … n; an empty one is an object.
---@param value any
---@return string? text
---@return string? err with the path of the value that JSON has no form for
---@return string? name
function json.encode(value) end

--- Marks a table (a new one by default) as an array, also when it is empty.
---@generic T: table
---@param list? T
---@return T list
function json.array(list) end

return json
