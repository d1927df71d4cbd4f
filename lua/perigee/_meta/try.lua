---@meta

--- What a policy's `selftest` is given. What it makes ends with the test and raises
--- after it.
---@class perigee.Try
local try = {}

--- What a balancer's picks choose from, or a picker's (without loads).
---@param list perigee.TryEndpoint[] at most 1,024
---@return perigee.Endpoints
function try.endpoints(list) end

--- What a balancer's pick or a fallback's fetch is asked.
---@param asked? perigee.TryCall | perigee.TryFetch
---@return perigee.Call | perigee.Request
function try.request(asked) end

--- An object of the policy, as `new` makes it of options that fit the schema; or nil
--- and why not.
---@param options? table
---@return perigee.Used? object
---@return string? why
function try.new(options) end

---@class perigee.TryEndpoint
---@field address string "10.0.0.7:7402"
---@field zone? string
---@field weight? integer 1 when not given
---@field suspect? boolean
---@field metadata? table
---@field inflight? integer for balancers, like the next two
---@field latency_ms? number
---@field failures? number

---@class perigee.TryCall
---@field service? string "orders.v1.Orders"
---@field method? string "Place"
---@field headers? table<string, string>
---@field body? string a gRPC frame, for `field`
---@field deadline_ms? number none when not given
---@field attempt? integer 1 when not given

---@class perigee.TryFetch
---@field group? string
---@field key? string
---@field peer? string
---@field deadline_ms? number none when not given
