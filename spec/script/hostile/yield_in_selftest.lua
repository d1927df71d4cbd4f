-- A yield in the policy's own test.
-- kind: balancer
-- case load: load: yield
local hostile = require("hostile")

return hostile("balancer", "yield_in_selftest", {}, {
  selftest = function()
    coroutine.yield()
  end,
})
