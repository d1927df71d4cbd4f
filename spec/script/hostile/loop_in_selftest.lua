-- A loop that never ends in the policy's own test.
-- kind: balancer
-- case load: load: budget of
local hostile = require("hostile")

return hostile("balancer", "loop_in_selftest", {}, {
  selftest = function(try)
    while true do
      pcall(try.new)
    end
  end,
})
