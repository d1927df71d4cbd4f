--- Sends calls to the zone that costs least, and farther only when that one is full or fails:
---
---   balancer = { "cheap_zones", zone = "a", room = 8, costs = { a = { b = 1, c = 4 }, b = { c = 2 } } }
---
--- `costs` is what a call between two zones costs, either way and in any unit; within a zone it costs
--- nothing. Nothing leaves the cheapest zone while its endpoints have fewer than `room` calls under way on
--- average. Beyond that it looks as much dearer as it is too full: with the costs above, zone b gets calls
--- when a has twice as many as it has room for, and c when a has five times as many.
local failing = require("lib.failing")
local policy = require("perigee.policy")

local function check_costs(costs)
  for from, row in pairs(costs) do
    if type(row) ~= "table" then
      return nil, ("costs.%s: a table of zones is expected"):format(from)
    end
    for to, cost in pairs(row) do
      if type(cost) ~= "number" or cost < 0 then
        return nil, ("costs.%s.%s: a number from 0 is expected"):format(from, to)
      end
    end
  end
  return true
end

local function cost_of(options, from, to)
  local there, back = options.costs[from], options.costs[to]
  return from == to and 0 or there and there[to] or back and back[from] or options.other
end

-- The zone whose price is least, of equal ones the emptiest. `careful`: none that fails.
local function cheapest(self, careful)
  local best, least, least_full
  for i = 1, #self.parts do
    local part = self.parts[i]
    if #part.view > 0 and not (careful and failing.half_of(part, self.options.max_failures)) then
      local full = part.view:inflight() / part.room
      local price = (1 + part.cost) * (full > 1 and full or 1)
      if not best or price < least or (price == least and full < least_full) then
        best, least, least_full = part, price, full
      end
    end
  end
  return best
end

local function explain(part, first)
  if part.cost == first.cost then
    return part.words
  end
  local why = #first.view == 0 and "nothing is left to try in " or first.failing and "half fails in " or "no room in "
  return part.words .. ", " .. why .. first.zone
end

return policy.balancer({
  name = "cheap_zones",
  schema = {
    zone = { type = "string", required = true, help = "this sidecar's own" },
    costs = { type = "table", default = {}, help = "costs[from][to] of a call between two zones, either way" },
    other = { type = "number", default = 10, min = 0, help = "what zones cost of which nothing is said" },
    room = { type = "number", default = 8, min = 1, help = "calls under way at an endpoint of average weight" },
    max_failures = { type = "number", default = 5, min = 0, help = "recent ones of an endpoint, halved every 10 s" },
  },
  new = function(options)
    local ok, err = check_costs(options.costs)
    return ok and { options = options } or nil, err
  end,
  update = function(self, endpoints)
    local options, by_zone, total = self.options, {}, 0
    self.parts = {}
    for i = 1, #endpoints do
      local zone, weight = endpoints[i]:zone(), endpoints[i]:weight()
      local part = by_zone[zone]
      if not part then
        part = { zone = zone, cost = cost_of(options, options.zone, zone), list = {}, weight = 0 }
        part.words = ("zone %s at cost %g"):format(zone, part.cost)
        by_zone[zone], self.parts[#self.parts + 1] = part, part
      end
      part.list[#part.list + 1] = endpoints[i]
      part.weight, total = part.weight + weight, total + weight
    end
    for _, part in ipairs(self.parts) do
      part.view = endpoints:only(part.list)
      part.room = options.room * part.weight * #endpoints / total
    end
    table.sort(self.parts, function(a, b)
      return a.cost < b.cost
    end)
  end,
  pick = function(self)
    local part = cheapest(self, true) or cheapest(self, false)
    if not part then
      return nil, "there are no endpoints"
    end
    local one, other = part.view:draw()
    if other and other:wait_ms() < one:wait_ms() then
      one = other
    end
    return one, explain(part, self.parts[1])
  end,
  selftest = function(try)
    local balancer = assert(try.new({ zone = "a", room = 8, costs = { b = { a = 1 } } }))
    local function zone_with(inflight, failures)
      local endpoints = try.endpoints({
        { address = "10.0.0.1:1", zone = "a", inflight = inflight, failures = failures },
        { address = "10.0.0.2:1", zone = "b" },
        { address = "10.0.0.3:1", zone = "c" },
      })
      balancer:update(endpoints)
      return balancer:pick(try.request(), endpoints):zone()
    end
    assert(zone_with(15) == "a" and zone_with(17) == "b", "the price grows with what is too much")
    assert(zone_with(0, 6) == "b", "a zone that fails is left")
  end,
})
