--- Reads sources for specs.
local cffi = require("spec.support.ffi")
local config = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h", "script/sources.h" })

local M = { C = C }

---@param paths string[] the policies' folders
---@param plugins string?
---@param lua_dir string?
---@return integer code
---@return any sources or the words of the problem; not freed
function M.try(paths, plugins, lua_dir)
  local quoted = {}
  for i, path in ipairs(paths) do
    quoted[i] = ("%q"):format(path)
  end
  local made = config.build(("return { policies = { path = { %s } } }"):format(table.concat(quoted, ", ")))
  local out = ffi.new("struct peri_sources *[1]")
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_sources_read(made, plugins, lua_dir, out, problem)
  if code < 0 then
    return code, ffi.string(problem.text)
  end
  return code, out[0]
end

---@param keep boolean? whether the caller frees them
function M.read(paths, plugins, lua_dir, keep)
  local code, sources = M.try(paths, plugins, lua_dir)
  assert(code == 0, sources)
  return keep and sources or ffi.gc(sources, C.peri_sources_unref)
end

return M
