--- Google's Maglev table: shares that are even to a fraction of a percent, and
--- one look into a table for each pick. When a peer leaves, its keys move and a
--- few others with them.
local policy = require("perigee.policy")
local ring = require("perigee.ring")

return policy.picker({
  name = "maglev",
  schema = {},
  new = function()
    return {}
  end,
  update = function(self, peers)
    self.table = #peers > 0 and assert(ring.maglev(peers)) or nil
  end,
  pick = function(self, key)
    return self.table:owner(key), "the key's slot in the table"
  end,
})
