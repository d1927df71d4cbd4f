---@meta perigee.ring

--- Tables from keys to peers: built in C once for each snapshot, shared by all workers,
--- looked up in C. They end with their peers. All honour weights; with equal weights
--- every peer of a ring has exactly `replicas` points.
local ring = {}

---@class perigee.Ring
local made = {}

---@param key string
---@return perigee.Endpoint
function made:owner(key) end

--- The ring of golang/groupcache.
---@param peers perigee.Peers
---@param replicas? integer 50 by default
---@return perigee.Ring? ring
---@return string? err EINVAL: no peers, or too many points; ELIMIT: over 32 rings of one snapshot
---@return string? name
function ring.crc32(peers, replicas) end

--- The ring of groupcache-go v3.
---@param peers perigee.Peers
---@param replicas? integer 50 by default
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.fnv(peers, replicas) end

--- A Maglev table of 65,537 slots.
---@param peers perigee.Peers
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.maglev(peers) end

--- Weighted rendezvous hashing.
---@param peers perigee.Peers
---@return perigee.Ring? ring
---@return string? err
---@return string? name
function ring.rendezvous(peers) end

return ring
