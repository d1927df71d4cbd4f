--- Any endpoint, as likely as its weight says.
local policy = require("perigee.policy")
local random = require("perigee.random")

return policy.balancer({
  name = "random",
  schema = {},
  new = function()
    return {}
  end,
  update = function(self, endpoints)
    -- sums[i] is the weight of endpoints 1 … i.
    local sums, even = {}, true
    for i = 1, #endpoints do
      local weight = endpoints[i]:weight()
      even = even and weight == endpoints[1]:weight()
      sums[i] = (sums[i - 1] or 0) + weight
    end
    self.sums, self.even = sums, even
  end,
  pick = function(self, _, endpoints)
    local count, sums = #endpoints, self.sums
    if count == 0 then
      return nil, "there are no endpoints"
    end
    if self.even then
      return endpoints[random.integer(1, count)], "drawn"
    end
    if count < #sums then
      sums = {}
      for i = 1, count do
        sums[i] = (sums[i - 1] or 0) + endpoints[i]:weight()
      end
    end
    -- The first one whose sum is beyond what was drawn.
    local drawn, low, high = random.number() * sums[count], 1, count
    while low < high do
      local middle = math.floor((low + high) / 2)
      if sums[middle] > drawn then
        high = middle
      else
        low = middle + 1
      end
    end
    return endpoints[low], "drawn by weight"
  end,
})
