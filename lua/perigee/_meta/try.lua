---@meta

--- What a policy's `selftest` is given. It runs in the new VM before anything is switched; what it
--- makes ends with it. It may make 64 handles.
---
--- ```lua
--- selftest = function(try)
---   local balancer = assert(try.new({ zone = "a" }))
---   local endpoints = try.endpoints({ { address = "10.0.0.1:1", zone = "b" }, { address = "10.0.0.2:1", zone = "a" } })
---   balancer:update(endpoints)
---   assert(balancer:pick(try.request(), endpoints):zone() == "a", "it stays in the zone")
--- end,
--- ```
---@class perigee.Try
local try = {}

--- An object of the policy, as `new` makes it of options that fit the schema; or nil and why not.
---@param options? table
---@return perigee.Used? object
---@return string? why
function try.new(options) end

--- What a balancer's picks choose from, or a picker's (which has no loads).
---@param list perigee.TryEndpoint[] at most 1,024
---@return perigee.Endpoints endpoints
function try.endpoints(list) end

--- What a balancer's pick or a fallback's fetch is asked.
---@param asked? perigee.TryCall | perigee.TryFetch
---@return perigee.Call | perigee.Request request
function try.request(asked) end

---@class perigee.TryEndpoint
---@field address string "10.0.0.7:7402"
---@field zone? string
---@field weight? integer 1 when not given
---@field suspect? boolean
---@field metadata? table
---@field inflight? integer for balancers, like the next two
---@field latency_ms? number
---@field failures? number

--- For a balancer.
---@class perigee.TryCall
---@field service? string "orders.v1.Orders"
---@field method? string "Place"
---@field headers? table<string, string> by lower-case name
---@field body? string a gRPC frame, for `field`
---@field deadline_ms? number none when not given
---@field attempt? integer 1 when not given

--- For a fallback.
---@class perigee.TryFetch
---@field group? string
---@field key? string
---@field peer? string
---@field deadline_ms? number none when not given
