--- What an HTTP response says about how long it may be kept.
---
--- ```lua
--- local cache_control = require("perigee.cache_control")
---
--- local ttl_ms = cache_control.ttl_ms({ ["cache-control"] = "max-age=60", age = "10" }) -- 50000
--- ```
local M = {}

-- A value that may not be kept at all is still handed to everybody who waits
-- for it, and gone right after.
local AT_ONCE = 1

--- The time that a shared cache may keep a response, in milliseconds.
---@param headers table<string, string> as perigee.http gives them
---@return number? ms nil when the response does not say
function M.ttl_ms(headers)
  local control = headers["cache-control"]
  if not control then
    return nil
  end
  local directives = {}
  for directive in control:lower():gmatch("[^,]+") do
    local name, value = directive:match('^%s*([%w-]+)%s*=?%s*"?(%d*)"?%s*$')
    if name then
      directives[name] = value
    end
  end
  if directives["no-store"] or directives["no-cache"] or directives["private"] then
    return AT_ONCE
  end
  local seconds = tonumber(directives["s-maxage"]) or tonumber(directives["max-age"])
  if not seconds then
    return nil
  end
  local age = tonumber(headers["age"]) or 0
  return math.max(AT_ONCE, (seconds - age) * 1000)
end

return M
