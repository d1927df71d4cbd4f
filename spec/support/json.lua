--- Reads and writes JSON in specs, without leaning on the code under test.
local M = {}

local decode_value

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }

local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64)
  end
  return string.char(0xE0 + math.floor(code / 4096), 0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
end

local function decode_string(text, at)
  local parts = {}
  at = at + 1
  while true do
    local plain, stop = text:match('^([^"\\]*)()', at)
    parts[#parts + 1] = plain
    local char = text:sub(stop, stop)
    if char == '"' then
      return table.concat(parts), stop + 1
    end
    assert(char == "\\", "JSON: unfinished string")
    local kind = text:sub(stop + 1, stop + 1)
    if kind == "u" then
      parts[#parts + 1] = utf8(tonumber(text:sub(stop + 2, stop + 5), 16))
      at = stop + 6
    else
      parts[#parts + 1] = assert(escapes[kind], "JSON: bad escape")
      at = stop + 2
    end
  end
end

local function skip(text, at)
  return text:match("^%s*()", at)
end

local function decode_list(text, at, close, each)
  at = skip(text, at + 1)
  while text:sub(at, at) ~= close do
    at = skip(text, each(at))
    if text:sub(at, at) == "," then
      at = skip(text, at + 1)
    else
      assert(text:sub(at, at) == close, "JSON: expected , or " .. close)
    end
  end
  return at + 1
end

local function decode_object(text, at)
  local object = {}
  local after = decode_list(text, at, "}", function(here)
    local key, colon = decode_string(text, here)
    colon = skip(text, colon)
    assert(text:sub(colon, colon) == ":", "JSON: expected :")
    local value, stop = decode_value(text, skip(text, colon + 1))
    object[key] = value
    return stop
  end)
  return object, after
end

local function decode_array(text, at)
  local array = {}
  local after = decode_list(text, at, "]", function(here)
    local value, stop = decode_value(text, here)
    array[#array + 1] = value
    return stop
  end)
  return array, after
end

function decode_value(text, at)
  local first = text:sub(at, at)
  if first == "{" then
    return decode_object(text, at)
  elseif first == "[" then
    return decode_array(text, at)
  elseif first == '"' then
    return decode_string(text, at)
  end
  for word, value in pairs({ ["true"] = true, ["false"] = false }) do
    if text:sub(at, at + #word - 1) == word then
      return value, at + #word
    end
  end
  if text:sub(at, at + 3) == "null" then
    return nil, at + 4
  end
  local number, stop = text:match("^(-?[%d.eE+-]+)()", at)
  return assert(tonumber(number), "JSON: unexpected " .. text:sub(at, at + 20)), stop
end

---@param text string
---@return any
function M.decode(text)
  local value, at = decode_value(text, skip(text, 1))
  assert(skip(text, at) == #text + 1, "JSON: more text after the value")
  return value
end

local function quote(text)
  return '"' .. text:gsub('[%c"\\]', function(char)
    return ("\\u%04x"):format(char:byte())
  end) .. '"'
end

--- Tables with a first element are arrays, and so are empty ones.
---@param value any
---@return string
function M.encode(value)
  if type(value) == "string" then
    return quote(value)
  elseif type(value) ~= "table" then
    return type(value) == "number" and ("%.17g"):format(value) or tostring(value)
  end
  local parts = {}
  if value[1] ~= nil or next(value) == nil then
    for i, each in ipairs(value) do
      parts[i] = M.encode(each)
    end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for name, each in pairs(value) do
    parts[#parts + 1] = quote(name) .. ":" .. M.encode(each)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

return M
