--- Rosters and failures for specs.
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/roster.h", "app/failures.h", "script/script.h" })

local M = {}

--- A roster of what one worker says of each policy; the caller frees it, or `owned`.
---@param list table[] fields of struct peri_script_policy
---@param owned? boolean it goes by itself
function M.roster(list, owned)
  local got = ffi.new("struct peri_roster *[1]")
  assert(C.peri_roster_new(got) == 0)
  for _, each in ipairs(list) do
    local fields = { path = "/p.lua", last_error = "", version = 1 }
    for key, value in pairs(each) do
      fields[key] = value
    end
    assert(C.peri_roster_put(got[0], ffi.new("struct peri_script_policy", fields)) == 0)
  end
  return owned and ffi.gc(got[0], C.peri_roster_free) or got[0]
end

---@param list table[] { kind, name, words }
function M.failures(list)
  local got = ffi.new("struct peri_failures *[1]")
  assert(C.peri_failures_new(got) == 0)
  for _, each in ipairs(list) do
    assert(C.peri_failures_put(got[0], each[1], each[2], each[3]) == 0)
  end
  return ffi.gc(got[0], C.peri_failures_free)
end

return M
