--- Schemas for the specs of the command line: protoc describes what they need.
local proc = require("spec.support.proc")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/schema.h" })

local M = {}

--- The files that protoc describes for the kitchen, as bytes.
---@return string[]
function M.files()
  local folder = proc.folder()
  local run = proc.run("/usr/bin/protoc", {
    "--proto_path=" .. proc.root .. "/spec/flow/reflect", "--include_imports", "--descriptor_set_out=" .. folder .. "/set", "kitchen.proto",
  })
  assert(run.code == 0, run.err)
  local file = assert(io.open(folder .. "/set", "rb"))
  local text = file:read("*a")
  file:close()
  proc.remove(folder)
  local files, at = {}, 1
  while at <= #text do
    assert(text:byte(at) == 10)
    at = at + 1
    local len, shift = 0, 1
    repeat
      local byte = text:byte(at)
      len, shift, at = len + byte % 128 * shift, shift * 128, at + 1
    until byte < 128
    files[#files + 1] = text:sub(at, at + len - 1)
    at = at + len
  end
  return files
end

--- A schema with all of them.
function M.schema()
  local schema = ffi.gc(C.peri_schema_new(), C.peri_schema_free)
  for _, file in ipairs(M.files()) do
    assert(C.peri_schema_add(schema, cffi.slice(file)) == 0)
  end
  return schema
end

return M
