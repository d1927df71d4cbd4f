--- The endpoint with the fewest calls under way from this worker, for its
--- weight. It looks at all of them, in C; with thousands, p2c comes as close.
local policy = require("perigee.policy")

return policy.balancer({
  name = "least_inflight",
  schema = {},
  new = function()
    return {}
  end,
  pick = function(_, _, endpoints)
    local endpoint = endpoints:least_inflight()
    return endpoint, endpoint and "fewest in flight" or "there are no endpoints"
  end,
})
