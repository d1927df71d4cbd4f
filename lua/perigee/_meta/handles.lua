---@meta

--- What a policy is handed: objects that C made. Each may be kept, and raises when it is used
--- after its end; none dangles.

--- The peers of one snapshot, sorted by address: `#peers`, and `peers[1]` to `peers[#peers]`. They
--- end with the next update.
---
--- ```lua
--- for i = 1, #peers do
---   local peer = peers[i]
---   self.zones[peer:zone()] = true
--- end
--- ```
---@class perigee.Peers
---@field [integer] perigee.Endpoint
---@operator len: integer
local peers = {}

--- The name of the service they belong to.
---@return string name
function peers:service() end

--- One peer. It ends with its peers.
---@class perigee.Endpoint
local endpoint = {}

--- As it was registered: "10.0.0.7:7402".
---@return string address
function endpoint:address() end

---@return string zone "" when unknown
function endpoint:zone() end

---@return integer weight from 1
function endpoint:weight() end

--- Whether it is this very sidecar.
---@return boolean self
function endpoint:self() end

--- What was registered with it: all of it, or the member `key`; nil when there is none.
---@param key? string
---@return any value
function endpoint:metadata(key) end

--- The endpoints of a balancer, sorted by address. In a pick they are those that were not tried
--- yet for this call; in an update, and to rings, all of them. It is the same object until the
--- next update and ends with it.
---@class perigee.Endpoints: perigee.Peers
---@field [integer] perigee.BalancedEndpoint
---@operator len: integer
local endpoints = {}

--- Calls of this worker under way to all of them, tried or not.
---@return integer calls
function endpoints:inflight() end

--- Two different ones drawn at random, each as likely; nil for what there is not.
---@return perigee.BalancedEndpoint? one
---@return perigee.BalancedEndpoint? other
function endpoints:draw() end

--- The one with the fewest calls under way for its weight, any of equals.
---@return perigee.BalancedEndpoint? endpoint nil when there are none
function endpoints:least_inflight() end

--- A handle that shows these alone, made in an update for what a pick chooses from or hands to
--- another balancer. Its endpoints are the same objects; it has no rings.
---@param list perigee.BalancedEndpoint[]
---@return perigee.Endpoints part
function endpoints:only(list) end

--- An endpoint with what this worker knows of its load, which lives as long as its address,
--- through updates and reloads. Two handles of an endpoint are equal until the next update; keep
--- its address() beyond that.
---@class perigee.BalancedEndpoint: perigee.Endpoint
local balanced = {}

--- Calls under way from this worker.
---@return integer calls
function balanced:inflight() end

--- How long response headers take: a slower answer counts at once, faster ones with a time
--- constant of 10 s.
---@return number ms 0 before the first answer
function balanced:latency_ms() end

--- Recent failures, halved every 10 s.
---@return number failures
function balanced:failures() end

--- What a call would wait: latency_ms × (inflight + 1) × (failures + 1) / weight. Before the first
--- answer it is 0 without calls under way, else very much.
---@return number ms
function balanced:wait_ms() end

--- Whether it is gone from the registry, and still answers.
---@return boolean suspect
function balanced:suspect() end

--- What a balancer is asked. It is one object for all picks, and raises outside of them.
---@class perigee.Call
local call = {}

--- The service of gRPC: "orders.v1.Orders".
---@return string name
function call:service() end

--- The method: "Place".
---@return string name
function call:method() end

--- The first request header of that name.
---@param name string in lower case
---@return string? value
function call:header(name) end

--- What is left of the call's time.
---@return number? ms nil without a deadline
function call:deadline_ms() end

--- The how many-th endpoint it is for this call.
---@return integer attempt from 1
function call:attempt() end

--- A field of the first message in the body, as far as it has come: bytes as they are, numbers as
--- decimals without sign.
---@param path string field numbers with dots between: "1.2" is field 2 of the message in field 1
---@return string? value nil when it is absent or compressed
function call:field(path) end

--- How a call ended.
---@class perigee.Outcome
---@field status integer of gRPC, as the caller saw it
---@field failed boolean the endpoint did not do its part
---@field latency_ms number until the response headers, or the end without them
---@field bytes integer of the response's body

--- What a fallback is asked. It ends with its fetch.
---@class perigee.Request
local request = {}

---@return string group
function request:group() end

---@return string key
function request:key() end

--- The peer that failed.
---@return string? address nil when none did
function request:peer() end

--- What is left of the fetch's time.
---@return number? ms nil without a limit
function request:deadline_ms() end
