--- The example policies, loaded as a worker loads them.
local plugins = require("spec.plugins.support")
local s = plugins.s
local root = os.getenv("PERI_ROOT")
local C, ffi = s.cffi.load({ "base/log.h", "script/selftest_shim.h" })

-- What they warn of is their work here.
C.peri_log_setup(C.PERI_LOG_ERROR, C.PERI_LOG_TEXT)

local M = setmetatable({}, { __index = plugins })

--- A script that finds them, and the shipped ones behind them; `config` adds JSON members.
function M.script(config)
  local path = ('"policies":{"path":["%s/examples/policies","%s/plugins"]}'):format(root, root)
  return s.script({}, "{" .. path .. (config and "," .. config or "") .. "}")
end

--- Makes an endpoint look as if it had failed so often, for good.
function M.fail(balancer, address, failures)
  local load = balancer:load(address)
  load.recent, load.recent_at_ns = failures, 2 ^ 62
end

--- Runs a policy's own test, with `change(text)` made to its file first.
--- @return integer code
--- @return string failure
function M.selftest(kind, name, change)
  local folder, out = s.folder(), ffi.new("char[8192]")
  assert(os.execute(("cp -R %s/examples/policies/* %s/plugins/* '%s'"):format(root, root, folder)) == 0)
  local path = ("%s/%s/%s.lua"):format(folder, kind, name)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  if change then
    local changed = change(text)
    assert(changed ~= text, "nothing was changed")
    s.write(path, changed)
  end
  local code = C.selftest_shim_run(kind, name, root .. "/lua", folder, 1e7, 2e9, out, 8192)
  return code, ffi.string(out)
end

--- A change of one plain text into another.
function M.instead(old, new)
  return function(text)
    local first, last = text:find(old, 1, true)
    return first and text:sub(1, first - 1) .. new .. text:sub(last + 1) or text
  end
end

return M
