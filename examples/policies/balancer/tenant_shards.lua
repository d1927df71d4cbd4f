--- Gives every tenant a few endpoints of its own choice, so that what one of them does reaches few others:
---
---   balancer = { "tenant_shards", header = "x-tenant", size = 3, spill = 1, load_bound = 2 }
---
--- A tenant's shard is the first `size` different endpoints that a Maglev table has for its name: the same on
--- every sidecar, by weight, and hardly another one when endpoints come and go. Of 20 endpoints there are 1,140
--- shards of three, so hardly two tenants share a whole one ("shuffle sharding"). While all of a shard have more
--- than `load_bound` times an endpoint's share of the calls under way, the next `spill` endpoints of the same
--- order take what is beyond. A call that failed on all of these is not tried elsewhere: what kills an endpoint
--- kills no more than those.
local hash = require("perigee.hash")
local policy = require("perigee.policy")
local ring = require("perigee.ring")

local JUMPS = 16 -- looks into the table for each endpoint wanted

-- The tenant's shard and, behind it, what it may spill to.
local function order_of(self, tenant)
  local list, seen = {}, {}
  for jump = 1, self.count * JUMPS do
    local endpoint = self.table:owner(tenant .. "#" .. jump)
    if not seen[endpoint] then
      seen[endpoint], list[#list + 1] = true, endpoint
      if #list == self.count then
        return list
      end
    end
  end
  -- Chance has missed some, which hardly happens but when almost all are wanted.
  local first = hash.bucket(tenant, #self.all)
  for i = first, first + #self.all - 1 do
    local endpoint = self.all[(i - 1) % #self.all + 1]
    if #list < self.count and not seen[endpoint] then
      list[#list + 1] = endpoint
    end
  end
  return list
end

-- The endpoints that were not tried, or nil when that is all of them.
local function open_only(self, endpoints)
  if #endpoints == #self.all then
    return nil
  end
  local open = {}
  for i = 1, #endpoints do
    open[endpoints[i]] = true
  end
  return open
end

-- Of a part of the list the one with the fewest calls under way for its weight, and how many; equals take turns.
local function fewest(self, list, first, last, open)
  local best, least, count = nil, math.huge, last - first + 1
  self.turn = self.turn + 1
  for i = 1, count do
    local endpoint = list[first + (self.turn + i) % count]
    local load = (not open or open[endpoint]) and endpoint:inflight() / endpoint:weight()
    if load and load < least then
      best, least = endpoint, load
    end
  end
  return best, least
end

return policy.balancer({
  name = "tenant_shards",
  schema = {
    header = { type = "string", default = "x-tenant", min = 1, help = "calls without it share a shard" },
    size = { type = "integer", default = 3, min = 1, max = 32, help = "endpoints of a tenant's own" },
    spill = { type = "integer", default = 1, min = 0, max = 32, help = "more of them while its own are full" },
    load_bound = { type = "number", default = 2, min = 1, help = "times an endpoint's share of calls under way" },
  },
  new = function(options)
    return { options = options, header = options.header:lower(), all = {}, turn = 0 }
  end,
  update = function(self, endpoints)
    self.all, self.weight = {}, 0
    for i = 1, #endpoints do
      self.all[i], self.weight = endpoints[i], self.weight + endpoints[i]:weight()
    end
    self.count = math.min(self.options.size + self.options.spill, #endpoints)
    self.table = #endpoints > 0 and assert(ring.maglev(endpoints)) or nil
  end,
  pick = function(self, request, endpoints)
    if #self.all == 0 then
      return nil, "there are no endpoints"
    end
    local size, open = math.min(self.options.size, self.count), open_only(self, endpoints)
    local list = order_of(self, request:header(self.header) or "")
    -- Calls that an endpoint may have for each unit of its weight, this one too.
    local room = self.options.load_bound * (endpoints:inflight() + 1) / self.weight
    local one, load = fewest(self, list, 1, size, open)
    if load < room then
      return one, "fewest in flight of the tenant's shard"
    end
    local other, spilled = fewest(self, list, size + 1, self.count, open)
    if spilled < room or not one then
      return other, one and "the tenant's shard is full" or "the tenant's shard was tried"
    end
    return one, "the tenant's shard is full, and so is what it spills to"
  end,
  selftest = function(try)
    local balancer, list, reached, count = assert(try.new({ size = 2, spill = 0 })), {}, {}, 0
    for i = 1, 10 do
      list[i] = { address = ("10.0.0.%d:1"):format(i) }
    end
    local endpoints = try.endpoints(list)
    balancer:update(endpoints)
    for _ = 1, 20 do
      local address = balancer:pick(try.request({ headers = { ["x-tenant"] = "tom" } }), endpoints):address()
      count = count + (reached[address] and 0 or 1)
      reached[address] = true
    end
    assert(count == 2, "a tenant reaches its shard, all of it and nothing else")
  end,
})
