---@meta perigee.ring

--- Tables from keys to peers: built in C once for each snapshot, shared by all workers, looked up
--- in C. They end with their peers. All honour weights; with equal weights every peer of a ring
--- has exactly `replicas` points. A failure is EINVAL (no peers, or too many points) or ELIMIT
--- (over 32 tables of one snapshot).
---
--- ```lua
--- local policy = require("perigee.policy")
--- local ring = require("perigee.ring")
---
--- return policy.picker({
---   name = "my_maglev",
---   update = function(self, peers)
---     self.table = #peers > 0 and assert(ring.maglev(peers)) or nil
---   end,
---   pick = function(self, key)
---     return self.table:owner(key)
---   end,
--- })
--- ```
local ring = {}

---@class perigee.Ring
local made = {}

---@param key string
---@return perigee.Endpoint owner
function made:owner(key) end

--- The ring of golang/groupcache.
---@param peers perigee.Peers
---@param replicas? integer 50 by default, 65536 at most
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.crc32(peers, replicas) end

--- The ring of groupcache-go v3.
---@param peers perigee.Peers
---@param replicas? integer 50 by default, 65536 at most
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.fnv(peers, replicas) end

--- A Maglev table of 65,537 slots: even shares, and one look for each key.
---@param peers perigee.Peers
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.maglev(peers) end

--- Weighted rendezvous hashing: no table, and as even as the hash; each look visits all peers.
---@param peers perigee.Peers
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.rendezvous(peers) end

return ring
