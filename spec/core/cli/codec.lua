--- JSON to protobuf and back, for specs.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/json_message.h", "base/json.h" })
local descriptors = require("spec.core.cli.descriptors")

local M = {}

local schema

local function everything()
  schema = schema or descriptors.schema()
  return schema
end

--- The message's bytes, or nil and the words.
---@param text string
---@param type? string
function M.encode(text, type)
  local json, buffer, problem = ffi.new("struct peri_json *[1]"), ffi.new("struct peri_buffer"), ffi.new("struct peri_problem")
  assert(C.peri_json_parse(cffi.slice(text), json, problem) == 0, ffi.string(problem.text))
  local rc = C.peri_json_encode(everything(), type or ".kitchen.v1.Everything", json[0], buffer, problem)
  C.peri_json_unref(json[0])
  local bytes = rc == 0 and (buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or "") or nil
  C.peri_buffer_done(buffer)
  return bytes, rc ~= 0 and ffi.string(problem.text) or nil, rc
end

--- The JSON text, or nil and the words.
---@param bytes string
---@param type? string
function M.decode(bytes, type)
  local json, buffer, problem = ffi.new("struct peri_json *[1]"), ffi.new("struct peri_buffer"), ffi.new("struct peri_problem")
  local rc = C.peri_json_decode(everything(), type or ".kitchen.v1.Everything", cffi.slice(bytes), json, problem)
  if rc ~= 0 then
    return nil, ffi.string(problem.text), rc
  end
  assert(C.peri_json_dump(json[0], false, buffer) == 0)
  local text = ffi.string(buffer.ptr, buffer.len)
  C.peri_buffer_done(buffer)
  C.peri_json_unref(json[0])
  return text
end

return M
