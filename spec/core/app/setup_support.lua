--- Reads configurations as the sidecar does, for specs.
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "app/setup.h" })

local M = {}

--- What a configuration of that text gives; it lives as long as what is returned.
---@param text string
---@return ffi.cdata*
function M.read(text)
  local folder = proc.folder()
  local file = folder .. "/perigee.lua"
  proc.write(file, text)
  local setup, problem = ffi.new("struct peri_setup"), ffi.new("struct peri_problem")
  local code = C.peri_setup_read(file, setup, problem)
  proc.remove(folder)
  assert(code == 0, ffi.string(problem.text))
  return ffi.gc(setup, C.peri_setup_done)
end

return M
