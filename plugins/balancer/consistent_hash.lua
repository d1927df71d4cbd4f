--- Calls with the same key go to the same endpoint, while it has room:
---
---   balancer = { "consistent_hash", by = "header:x-user" }
---   balancer = { "consistent_hash", by = "field:1.2", table = "ring", load_bound = 1.5 }
---
--- No endpoint gets more than `load_bound` times its share of the calls under way
--- (Mirrokni et al., "Consistent hashing with bounded loads"); what is beyond
--- jumps to where the key would be hashed next, which is the same for everybody.
local policy = require("perigee.policy")
local ring = require("perigee.ring")

local JUMPS = 16

local readers = {
  header = function(request, name)
    return request:header(name)
  end,
  -- gRPC's name for headers; binary ones are base64, padded or not.
  metadata = function(request, name)
    local value = request:header(name)
    return value and name:sub(-4) == "-bin" and value:gsub("=+$", "") or value
  end,
  field = function(request, path)
    return request:field(path)
  end,
}

local function is_path(text)
  return ("." .. text):gsub("%.[1-9]%d*", "") == ""
end

-- The endpoints that were not tried, or nil when that is all of them.
local function open_only(self, endpoints)
  if #endpoints == self.count then
    return nil
  end
  local open = {}
  for i = 1, #endpoints do
    open[endpoints[i]] = true
  end
  return open
end

return policy.balancer({
  name = "consistent_hash",
  schema = {
    by = { type = "string", required = true, help = '"header:NAME", "metadata:NAME" or "field:1.2"' },
    table = { type = "string", default = "maglev", values = { "maglev", "ring" } },
    load_bound = { type = "number", default = 1.25, min = 1, help = "times an endpoint's share of calls under way" },
  },
  new = function(options)
    local kind, name = options.by:match("^(%l+):(.+)$")
    if not readers[kind] or (kind == "field" and not is_path(name)) then
      return nil, 'by is "header:NAME", "metadata:NAME" or "field:1.2", not "' .. options.by .. '"'
    end
    return {
      read = readers[kind],
      name = name:lower(),
      kind = options.table,
      bound = options.load_bound,
    }
  end,
  update = function(self, endpoints)
    self.count, self.weight = #endpoints, 0
    for i = 1, #endpoints do
      self.weight = self.weight + endpoints[i]:weight()
    end
    -- Built in C, once for all workers.
    self.table = nil
    if #endpoints > 0 then
      self.table = assert(self.kind == "ring" and ring.fnv(endpoints, 160) or ring.maglev(endpoints))
    end
  end,
  pick = function(self, request, endpoints)
    local key = self.read(request, self.name)
    if not key or #endpoints == 0 then
      return endpoints:least_inflight(), key and "there are no endpoints" or "without a key: fewest in flight"
    end
    -- Calls that an endpoint may have for each unit of its weight, this one too.
    local room = self.bound * (endpoints:inflight() + 1) / self.weight
    local open = open_only(self, endpoints)
    local owner = self.table:owner(key)
    for jump = 1, JUMPS do
      if (not open or open[owner]) and owner:inflight() < room * owner:weight() then
        return owner, jump == 1 and "the key's owner" or "next after the key's owner"
      end
      owner = self.table:owner(key .. "#" .. jump)
    end
    return endpoints:least_inflight(), "far from the key's owner: fewest in flight"
  end,
})
