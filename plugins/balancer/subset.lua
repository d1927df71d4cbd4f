--- Calls only a part of the endpoints, so that a thousand sidecars and a thousand
--- endpoints do not make a million connections:
---
---   balancer = { "subset", size = 10, client = 7, balancer = "p2c_ewma" }
---
--- Deterministic subsetting as in Google's "Site Reliability Engineering": in each
--- round as many clients as there are subsets share out all endpoints, so every
--- endpoint has about as many clients as any other. Number the clients from 0
--- (`client = tonumber(env("INDEX"))`); without a number a random one is drawn.
local hash = require("perigee.hash")
local policy = require("perigee.policy")
local random = require("perigee.random")

-- The endpoints in the order of a round: the same for all of its clients, and
-- hardly another one when endpoints come and go.
local function shuffled(endpoints, round)
  local list, order = {}, {}
  for i = 1, #endpoints do
    local endpoint = endpoints[i]
    list[i] = endpoint
    order[endpoint] = hash.xxh3(round .. " " .. endpoint:address())
  end
  table.sort(list, function(a, b)
    return order[a] < order[b]
  end)
  return list
end

local function subset_of(self, endpoints)
  local subsets = math.max(1, math.floor(#endpoints / self.size))
  local list = shuffled(endpoints, math.floor(self.client / subsets))
  local first = self.client % subsets * self.size
  local chosen = {}
  for i = 1, math.min(self.size, #list) do
    chosen[i] = list[first + i]
  end
  return endpoints:only(chosen)
end

return policy.balancer({
  name = "subset",
  schema = {
    size = { type = "integer", default = 10, min = 1 },
    client = { type = "integer", min = 0, max = 2147483647 },
    balancer = { type = "any", default = "p2c_ewma", help = 'within the subset: "name" or { "name", … }' },
  },
  new = function(options)
    return {
      size = options.size,
      client = options.client or random.integer(0, 2147483647),
      balancer = policy.use("balancer", options.balancer),
    }
  end,
  update = function(self, endpoints)
    self.part = subset_of(self, endpoints)
    self.balancer:update(self.part)
  end,
  pick = function(self, request, endpoints)
    if #self.part == 0 then
      return endpoints:least_inflight(), "none of the subset is left"
    end
    return self.balancer:pick(request, self.part)
  end,
})
