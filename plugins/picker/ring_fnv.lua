--- The ring of groupcache-go v3: FNV-1 of the MD5 of decimal(i) .. address, 50
--- points for each peer. It agrees with groupcache-go about every owner.
local policy = require("perigee.policy")
local ring = require("perigee.ring")

return policy.picker({
  name = "ring_fnv",
  schema = {
    replicas = {
      type = "integer",
      default = 50,
      min = 1,
      max = 65536,
      help = "points for each peer; with unequal weights, for each unit of weight",
    },
  },
  new = function(options)
    return { replicas = options.replicas }
  end,
  update = function(self, peers)
    -- Built in C, once for all workers.
    self.ring = #peers > 0 and assert(ring.fnv(peers, self.replicas)) or nil
  end,
  pick = function(self, key)
    return self.ring:owner(key), "next after the key on the ring"
  end,
})
