--- Whether half of a part of the endpoints fails. A policy may require what lies on the policy path.
local clock = require("perigee.clock")

local LOOK_MS = 10 -- between two looks at every endpoint

local M = {}

---@class example.Part
---@field view perigee.Endpoints
---@field look_at? number
---@field failing? boolean

--- Suspects fail, and endpoints with more than `most` recent failures, which are halved every 10 s.
---@param part example.Part made anew in each update
---@param most number
---@return boolean
function M.half_of(part, most)
  local now = clock.now_ms()
  if not part.look_at or now >= part.look_at then
    local view, failing = part.view, 0
    for i = 1, #view do
      if view[i]:suspect() or view[i]:failures() > most then
        failing = failing + 1
      end
    end
    part.failing, part.look_at = #view > 0 and failing * 2 >= #view, now + LOOK_MS
  end
  return part.failing
end

return M
