---@meta perigee.policy

--- Declares policies. A policy is one file that returns one declaration.
local policy = {}

--- A key-to-peer choice. The same peers and keys must give the same owner on every
--- node, so a picker draws no random numbers and looks at no clock.
---@class perigee.Picker
---@field name string the file's name without ".lua"
---@field schema? table<string, perigee.Option> options are checked against it before `new`
---@field new? fun(options: table): table?, string? state of one group on one worker, or nil and why not
---@field update? fun(self: table, peers: perigee.Peers) the peers changed; runs before any pick
---@field pick fun(self: table, key: string, peers: perigee.Peers): perigee.Endpoint the key's owner

--- Chooses an endpoint for each call. No function may wait, and what they raise counts
--- as a failure: the call goes by the built-in round robin.
---@class perigee.Balancer
---@field name string
---@field schema? table<string, perigee.Option>
---@field new? fun(options: table): table?, string? state of one service on one worker, or nil and why not
---@field update? fun(self: table, endpoints: perigee.Endpoints) the endpoints changed; runs before any pick
---@field pick fun(self: table, request: perigee.Call, endpoints: perigee.Endpoints): perigee.Picked
---@field done? fun(self: table, request: perigee.Call, endpoint: perigee.BalancedEndpoint?, outcome: perigee.Outcome)
--- a call ended; `endpoint` is nil when it left meanwhile

--- `endpoint, "why"`, of which the words may be left out; or `nil, "why"` when the policy
--- wants none of them.
---@alias perigee.Picked perigee.BalancedEndpoint?, string?

--- Loads what nobody has. `fetch` may wait.
---@class perigee.Fallback
---@field name string
---@field schema? table<string, perigee.Option>
---@field new? fun(options: table): table?, string?
---@field fetch fun(self: table, request: perigee.Request, cause: perigee.Cause): perigee.Fetched

--- Why a fallback is asked: this sidecar owns the key, or what its owner did.
---@alias perigee.Cause "origin" | "unreachable" | "timeout" | "failed"

--- `value, { ttl = "60s" }` or `nil, "ENAME: text", "ENAME", { negative_ttl = "1s" }`;
--- the name "ENOTFOUND" says that the value does not exist. Options may be left out.
---@alias perigee.Fetched string?, (table|string)?, string?, table?

--- One entry of a schema.
---@class perigee.Option
---@field type? perigee.OptionType
---@field required? boolean
---@field default? any
---@field values? any[] what is allowed
---@field min? number|string of numbers, and of the length of strings and lists
---@field max? number|string
---@field items? perigee.OptionType the type of a list's elements
---@field help? string for readers

--- A duration reaches the policy in milliseconds, a size in bytes.
---@alias perigee.OptionType "string" | "number" | "integer" | "boolean" | "duration" | "size" | "list" | "table"
---| "any"

---@param declaration perigee.Picker
---@return perigee.Picker
function policy.picker(declaration) end

---@param declaration perigee.Fallback
---@return perigee.Fallback
function policy.fallback(declaration) end

---@param declaration perigee.Balancer
---@return perigee.Balancer
function policy.balancer(declaration) end

--- Another policy's object, made in this VM; while the file loads or `new` runs.
---@param kind "fallback" | "picker" | "balancer"
---@param reference string | table "name" or { "name", option = … }
---@return perigee.Used
function policy.use(kind, reference) end

---@class perigee.Used
local used = {}

---@param request perigee.Request
---@param cause perigee.Cause
---@return perigee.Fetched
function used:fetch(request, cause) end

---@param peers perigee.Peers
function used:update(peers) end

---@param key string|perigee.Call
---@param peers perigee.Peers
---@return perigee.Endpoint? endpoint
---@return string? why of a balancer
function used:pick(key, peers) end

---@param request perigee.Call
---@param endpoint perigee.BalancedEndpoint?
---@param outcome perigee.Outcome
function used:done(request, endpoint, outcome) end

return policy
