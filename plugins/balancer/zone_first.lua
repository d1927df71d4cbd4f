--- Keeps calls in a zone, and lets them out when it fails or is full:
---
---   balancer = { "zone_first", zone = "a", load_factor = 4, balancer = "p2c_ewma" }
---
--- Calls leave the zone while half of its endpoints fail, and for as long as its
--- endpoints have more than `load_factor` times the calls under way that the
--- others have, one more counted for those.
local clock = require("perigee.clock")
local policy = require("perigee.policy")

local LOOK_MS = 100 -- between two looks at every endpoint's failures

local function weight_of(endpoints)
  local sum = 0
  for i = 1, #endpoints do
    sum = sum + endpoints[i]:weight()
  end
  return sum
end

local function is_failing(self, endpoints)
  local failing = 0
  for i = 1, #endpoints do
    if endpoints[i]:suspect() or endpoints[i]:failures() > self.options.max_failures then
      failing = failing + 1
    end
  end
  return failing * 2 >= #endpoints
end

-- Why a call leaves the zone, or nil.
local function why_leave(self)
  local near, far = self.near, self.far
  if #far == 0 then
    return nil
  end
  if #near == 0 then
    return "none left in the zone"
  end
  local now = clock.now_ms()
  if now >= self.look_at then
    self.failing, self.look_at = is_failing(self, near), now + LOOK_MS
  end
  if self.failing then
    return "the zone fails"
  end
  if near:inflight() / self.near_weight > self.options.load_factor * (far:inflight() / self.far_weight + 1) then
    return "the zone is full"
  end
end

return policy.balancer({
  name = "zone_first",
  schema = {
    zone = { type = "string", required = true, help = "this sidecar's own" },
    load_factor = { type = "number", default = 10, min = 1 },
    max_failures = { type = "number", default = 5, min = 0, help = "recent ones of an endpoint, halved every 10 s" },
    balancer = { type = "any", default = "p2c_ewma", help = 'for either part: "name" or { "name", … }' },
  },
  new = function(options)
    return {
      options = options,
      near_balancer = policy.use("balancer", options.balancer),
      far_balancer = policy.use("balancer", options.balancer),
    }
  end,
  update = function(self, endpoints)
    local near, far = {}, {}
    for i = 1, #endpoints do
      local part = endpoints[i]:zone() == self.options.zone and near or far
      part[#part + 1] = endpoints[i]
    end
    self.near, self.far = endpoints:only(near), endpoints:only(far)
    self.near_weight, self.far_weight = weight_of(self.near), weight_of(self.far)
    self.near_balancer:update(self.near)
    self.far_balancer:update(self.far)
    self.look_at, self.failing = 0, false
  end,
  pick = function(self, request)
    local why = why_leave(self)
    if why then
      return self.far_balancer:pick(request, self.far), why
    end
    return self.near_balancer:pick(request, self.near), "in the zone"
  end,
})
