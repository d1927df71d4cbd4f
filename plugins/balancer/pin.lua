--- Sticky sessions: calls with the same header stay with an endpoint as long as it
--- is there, also when others come:
---
---   balancer = { "pin", header = "x-session", ttl = "10m" }
---
--- A session that nobody has seen begins where its header is hashed to, which all
--- workers agree about. It is forgotten when `ttl` to twice `ttl` have passed
--- without a call, or earlier when there are more than `max`.
local clock = require("perigee.clock")
local hash = require("perigee.hash")
local policy = require("perigee.policy")
local ring = require("perigee.ring")

-- Sessions that were called lately are in `young`, others in `old`; what is
-- there still when they are next exchanged is forgotten.
local function age(self)
  local now = clock.now_ms()
  if now >= self.age_at or self.count * 2 >= self.max then
    self.old, self.young, self.count = self.young, {}, 0
    self.age_at = now + self.ttl
  end
end

local function remember(self, key, address)
  if not self.young[key] then
    self.count = self.count + 1
  end
  self.young[key] = address
end

local function is_open(endpoints, endpoint)
  for i = 1, #endpoints do
    if endpoints[i] == endpoint then
      return true
    end
  end
  return false
end

return policy.balancer({
  name = "pin",
  schema = {
    header = { type = "string", required = true, min = 1 },
    ttl = { type = "duration", default = "10m", min = "1ms" },
    max = { type = "integer", default = 20000, min = 2, max = 40000, help = "sessions" },
  },
  new = function(options)
    return {
      header = options.header:lower(),
      ttl = options.ttl,
      max = options.max,
      young = {},
      old = {},
      count = 0,
      age_at = 0,
    }
  end,
  update = function(self, endpoints)
    self.by_address, self.all = {}, #endpoints
    for i = 1, #endpoints do
      self.by_address[endpoints[i]:address()] = endpoints[i]
    end
    self.table = #endpoints > 0 and assert(ring.maglev(endpoints)) or nil
  end,
  pick = function(self, request, endpoints)
    local key = request:header(self.header)
    if not key or #endpoints == 0 then
      return endpoints:least_inflight(), key and "there are no endpoints" or "no session: fewest in flight"
    end
    if #key > 64 then
      key = hash.xxh3(key)
    end
    age(self)
    local address = self.young[key] or self.old[key]
    local endpoint, why = self.by_address[address or ""], "the session's own"
    if not endpoint then
      endpoint, why = self.table:owner(key), "a session begins"
    end
    -- Where it was is tried already: the session moves.
    if #endpoints < self.all and not is_open(endpoints, endpoint) then
      endpoint, why = endpoints:least_inflight(), "the session moves"
    end
    address = endpoint:address()
    if self.young[key] ~= address then
      remember(self, key, address)
    end
    return endpoint, why
  end,
})
