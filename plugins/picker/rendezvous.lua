--- Rendezvous hashing: every peer bids for every key, weighted, and the highest
--- bid wins. When a peer leaves, its keys move and no others. A pick looks at
--- every peer, which suits clusters of up to a few dozen.
local policy = require("perigee.policy")
local ring = require("perigee.ring")

return policy.picker({
  name = "rendezvous",
  schema = {},
  new = function()
    return {}
  end,
  update = function(self, peers)
    self.bids = #peers > 0 and assert(ring.rendezvous(peers)) or nil
  end,
  pick = function(self, key)
    return self.bids:owner(key), "the highest bid for the key"
  end,
})
