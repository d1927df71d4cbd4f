--- Smooth weighted round robin, as nginx does it: with weights 5, 1 and 1 the
--- order is a a b a c a a rather than five times a in a row. Endpoints that
--- stay keep their turn when others come and go.
local policy = require("perigee.policy")
local random = require("perigee.random")

-- Every endpoint gains its weight, the one that then has most is chosen and
-- pays what all have gained.
local function turn(self, places)
  local credits, weights = self.credits, self.weights
  local best, most, total = nil, nil, 0
  for i = 1, #places do
    local at = places[i]
    local weight = weights[at]
    local credit = credits[at] + weight
    credits[at] = credit
    total = total + weight
    if not best or credit > most then
      best, most = at, credit
    end
  end
  credits[best] = most - total
  return self.list[best]
end

-- Turns go by all endpoints also when some were tried: the neighbours of one that
-- is down would get too much or nothing otherwise.
local function next_untried(self, endpoints, count)
  local last = self.at % #self.places
  local chosen = endpoints[1]
  for i = 1, count do
    if self.place[endpoints[i]] > last then
      chosen = endpoints[i]
      break
    end
  end
  self.at = self.place[chosen]
  return chosen
end

return policy.balancer({
  name = "round_robin",
  schema = {},
  new = function()
    -- Sidecars that start together should not all begin with the same endpoint.
    return { list = {}, at = random.integer(0, 65535) }
  end,
  update = function(self, endpoints)
    local kept = {}
    for at in ipairs(self.list) do
      kept[self.addresses[at]] = self.credits[at]
    end
    self.list, self.addresses, self.weights, self.credits = {}, {}, {}, {}
    self.places, self.place, self.even = {}, {}, true
    for i = 1, #endpoints do
      local endpoint = endpoints[i]
      local address, weight = endpoint:address(), endpoint:weight()
      self.list[i], self.addresses[i], self.weights[i] = endpoint, address, weight
      self.credits[i] = kept[address] or 0
      self.places[i], self.place[endpoint] = i, i
      self.even = self.even and weight == self.weights[1]
    end
  end,
  pick = function(self, _, endpoints)
    local count, places = #endpoints, self.places
    if count == 0 then
      return nil, "there are no endpoints"
    end
    if self.even and count == #places then
      local at = self.at % count + 1
      self.at = at
      return endpoints[at], "next in turn"
    end
    if self.even then
      return next_untried(self, endpoints, count), "next in turn"
    end
    if count < #places then
      places = {}
      for i = 1, count do
        places[i] = self.place[endpoints[i]]
      end
    end
    return turn(self, places), "next in turn by weight"
  end,
})
