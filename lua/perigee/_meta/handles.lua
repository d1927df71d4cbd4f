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

--- The endpoints of a balancer, sorted by address. In a pick it shows those that were
--- not tried yet for this call; in an update, and to rings, all of them. It is the same
--- object until the next update and raises after that.
---@class perigee.Endpoints: perigee.Peers
---@field [integer] perigee.BalancedEndpoint
---@operator len: integer
local endpoints = {}

--- Calls of this worker under way to all of them, tried or not.
---@return integer
function endpoints:inflight() end

--- Two different ones drawn at random, each as likely; nil for what there is not.
---@return perigee.BalancedEndpoint? one
---@return perigee.BalancedEndpoint? other
function endpoints:draw() end

--- The one with the fewest calls under way for its weight, any of equals.
---@return perigee.BalancedEndpoint?
function endpoints:least_inflight() end

--- A handle that shows these alone, made in an update for what a pick chooses from or
--- hands to another balancer. Its endpoints are the same objects; it has no rings.
---@param list perigee.BalancedEndpoint[]
---@return perigee.Endpoints
function endpoints:only(list) end

--- An endpoint with what this worker knows of its load, which lives as long as its
--- address, through updates and reloads. Two handles of an endpoint are equal until the
--- next update; keep its address() beyond that.
---@class perigee.BalancedEndpoint: perigee.Endpoint
local balanced = {}

---@return integer calls under way from this worker
function balanced:inflight() end

--- How long response headers take: a slower answer counts at once, faster ones with a
--- time constant of 10 s. 0 before the first.
---@return number
function balanced:latency_ms() end

--- Recent failures, halved every 10 s.
---@return number
function balanced:failures() end

--- What a call would wait: latency_ms × (inflight + 1) × (failures + 1) / weight. Before
--- the first answer 0 without calls under way, else very much.
---@return number
function balanced:wait_ms() end

--- Gone from the registry, and still answers.
---@return boolean
function balanced:suspect() end

--- What a balancer is asked: one object for all its picks, which raises outside of them.
---@class perigee.Call
local call = {}

---@return string service of gRPC, "orders.v1.Orders"
function call:service() end

---@return string method "Place"
function call:method() end

--- The first request header of that name, in lower case.
---@param name string
---@return string?
function call:header(name) end

--- Milliseconds that are left for the call.
---@return number?
function call:deadline_ms() end

---@return integer attempt from 1
function call:attempt() end

--- A field of the first message in the body, as far as it has come: bytes as they are,
--- numbers as decimals without sign. Nil when it is absent or compressed.
---@param path string field numbers with dots between: "1.2" is field 2 of the message in field 1
---@return string?
function call:field(path) end

--- How a call ended.
---@class perigee.Outcome
---@field status integer of gRPC, as the caller saw it
---@field failed boolean the endpoint did not do its part
---@field latency_ms number until the response headers, or the end without them
---@field bytes integer of the response's body

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
