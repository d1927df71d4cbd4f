-- What no picker may return.
-- kind: picker
-- case nothing: pick: not nil
-- case false_value: pick: not boolean
-- case number: pick: not number
-- case text: pick: not string
-- case table: pick: not table
-- case function_value: pick: not function
-- case the_peers: pick: not something else
-- case why: pick: found no peer: they are full
-- case huge_why: pick: found no peer
-- case endless: pick: budget of
-- case memory: pick: memory cap | budget of
-- case in_update: update: not today
-- case load: pick: only a balancer's endpoints have a load
-- case rings: update: too many rings | budget of
-- case ring_points: pick: nothing
local hostile = require("hostile")
local ring = require("perigee.ring")

local function give(...)
  local values, count = { ... }, select("#", ...)
  return function()
    return unpack(values, 1, count)
  end
end

return hostile("picker", "returns_of_picker", {
  update = {
    in_update = function()
      error("not today")
    end,
    rings = function(_, peers)
      for replicas = 8000, 8030 do
        ring.crc32(peers, replicas)
      end
    end,
  },
  pick = {
    nothing = give(),
    false_value = give(false),
    number = give(1),
    text = give("10.0.0.1:1"),
    table = give({}),
    function_value = give(error),
    the_peers = function(_, _, peers)
      return peers
    end,
    why = give(nil, "they are full"),
    huge_why = function()
      return nil, ("why "):rep(100000)
    end,
    endless = function()
      while true do
      end
    end,
    memory = function()
      local text = "x"
      while true do
        text = text .. text
      end
    end,
    load = function(_, _, peers)
      return peers[1]:inflight()
    end,
    ring_points = function(_, _, peers)
      assert(not ring.crc32(peers, 65536) and not pcall(ring.crc32, peers, 65537) and not pcall(ring.fnv, peers, 1e300))
      assert(not pcall(ring.crc32, {}, 5) and not pcall(ring.maglev))
      return peers[1]
    end,
  },
})
