---@meta

--- The peers of one snapshot, sorted by address: `#peers` and `peers[i]`. Used after
--- the next update, it raises.
---@class perigee.Peers
---@field [integer] perigee.Endpoint
---@operator len: integer
local peers = {}

--- The name of the service they belong to.
---@return string
function peers:service() end

--- One peer. Used after the end of its peers, it raises.
---@class perigee.Endpoint
local endpoint = {}

---@return string address as configured, "10.0.0.7:7402"
function endpoint:address() end

---@return string zone "" when unknown
function endpoint:zone() end

---@return integer weight from 1
function endpoint:weight() end

---@return boolean self whether it is this very sidecar
function endpoint:self() end

--- What was registered with it: all of it, or the member `key`.
---@param key? string
---@return any
function endpoint:metadata(key) end

--- What a fallback is asked. Used after the end of its fetch, it raises.
---@class perigee.Request
local request = {}

---@return string
function request:group() end

---@return string
function request:key() end

--- The address of the peer that failed, when one did.
---@return string?
function request:peer() end

--- Milliseconds that are left for the fetch.
---@return number?
function request:deadline_ms() end
