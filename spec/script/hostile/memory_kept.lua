-- A policy that fills its memory, and keeps it full between calls.
-- kind: balancer
-- alone
-- case string: pick: memory cap | budget of
-- case tables: pick: memory cap | budget of
-- case garbage: pick: memory cap | budget of
local hostile = require("hostile")

local kept = {}
for i = 1, 5 do
  kept[i] = (i .. ""):rep(1000000)
end

return hostile("balancer", "memory_kept", {
  pick = {
    string = function()
      while true do
        kept[#kept + 1] = kept[1] .. #kept
      end
    end,
    tables = function()
      while true do
        kept[#kept + 1] = { #kept }
      end
    end,
    garbage = function()
      while true do
        kept[6] = { {}, {}, {}, kept[6] }
      end
    end,
  },
})
