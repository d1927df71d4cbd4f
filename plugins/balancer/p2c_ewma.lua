--- The power of two choices on what a call would wait: of two endpoints drawn
--- at random, the one where latency × (calls under way + 1) / weight is less.
--- The latency is a peak-sensitive average: one slow answer counts at once and
--- is forgotten slowly. wait_ms() computes that, and makes an endpoint look
--- slower that failed lately, or failing fast would look like being fast.
local policy = require("perigee.policy")

return policy.balancer({
  name = "p2c_ewma",
  schema = {},
  new = function()
    return {}
  end,
  pick = function(_, _, endpoints)
    local one, other = endpoints:draw()
    if other and other:wait_ms() < one:wait_ms() then
      return other, "less to wait than the other one drawn"
    end
    return one, other and "less to wait than the other one drawn" or one and "the only one" or "there are no endpoints"
  end,
})
