--- The power of two choices: of two endpoints drawn at random, the one with
--- fewer calls under way for its weight. Nearly as even as looking at all of
--- them, at the price of two, and sidecars that know nothing of each other do
--- not all run to the same one.
local policy = require("perigee.policy")

return policy.balancer({
  name = "p2c",
  schema = {},
  new = function()
    return {}
  end,
  pick = function(_, _, endpoints)
    local one, other = endpoints:draw()
    if not other then
      return one, one and "the only one" or "there are no endpoints"
    end
    -- (a + 1) / v < (b + 1) / w, without dividing.
    if (other:inflight() + 1) * one:weight() < (one:inflight() + 1) * other:weight() then
      one = other
    end
    return one, "fewer in flight than the other one drawn"
  end,
})
