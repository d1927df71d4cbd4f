--- Builds configurations from Lua text, as the script room does it: the table
--- becomes a JSON tree, the text names the lines.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/config.h" })

local M = {}

local function tree(value)
  local kind = type(value)
  if kind == "boolean" then
    return C.peri_json_bool(value)
  elseif kind == "string" then
    return C.peri_json_string(cffi.slice(value))
  elseif kind == "number" then
    if value == math.floor(value) then
      return C.peri_json_integer(value)
    end
    return C.peri_json_real(value)
  end
  local named = next(value) == nil
  for key in pairs(value) do
    named = named or type(key) == "string"
  end
  local json = named and C.peri_json_object() or C.peri_json_array()
  for index, item in ipairs(value) do
    if named then
      C.peri_json_set(json, tostring(index), tree(item))
    else
      C.peri_json_append(json, tree(item))
    end
  end
  for key, item in pairs(value) do
    if type(key) == "string" then
      C.peri_json_set(json, key, tree(item))
    end
  end
  return json
end

---@param text string a Lua chunk that returns the configuration
---@param file string?
---@return integer code
---@return any config or the words of the problem
function M.try(text, file)
  local json = tree(assert(loadstring(text))())
  local config = ffi.new("struct peri_config *[1]")
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_config_build(file or "", cffi.slice(text), json, config, problem)
  C.peri_json_unref(json)
  if code < 0 then
    return code, ffi.string(problem.text)
  end
  return code, ffi.gc(config[0], C.peri_config_unref)
end

function M.build(text, file)
  local code, config = M.try(text, file)
  assert(code == 0, config)
  return config
end

function M.fails(text, words, file)
  local assert = require("luassert")
  local code, problem = M.try(text, file)
  assert.equal(C.PERI_ECONFIG, code)
  assert.equal(words, problem)
end

return M
