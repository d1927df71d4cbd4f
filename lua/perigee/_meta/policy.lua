---@meta perigee.policy

--- Declares policies. A policy is one file, `PATH/KIND/NAME.lua`, that returns one declaration.
---
--- ```lua
--- local policy = require("perigee.policy")
---
--- return policy.fallback({
---   name = "greeting",
---   schema = { word = { type = "string", default = "hello" } },
---   new = function(options)
---     return { word = options.word }
---   end,
---   fetch = function(self, request, cause)
---     return self.word .. " " .. request:key(), { ttl = "1h" }
---   end,
---   selftest = function(try)
---     local greeting = try.new({ word = "hi" })
---     assert(greeting:fetch(try.request({ key = "Tom" }), "origin") == "hi Tom")
---   end,
--- })
--- ```
local policy = {}

--- What every kind of policy may have.
---@class perigee.Declaration
---@field name string the file's name without ".lua": a-z, 0-9 and _
---@field schema? table<string, perigee.Option> options are checked against it before `new`
---@field new? fun(options: table): (self: table?, err: string?) the state of one use (a group, a service) on one worker, or nil and why not; without it the state is `{ options = options }`
---@field selftest? fun(try: perigee.Try): (ok: any, why: string?) raises, returns false, or nil and why, when the file must not be taken
---@field export? fun(self: table): any plain data that a new version of the policy begins with
---@field import? fun(self: table, state: any) runs after `new` in a new version, with what the one before exported

--- Says which peer owns a key. The same peers and keys must give the same owner on every node, so
--- a picker draws no random numbers and looks at no clock. What it raises counts as a failure: the
--- version before picks, or else the built-in ring.
---@class perigee.Picker: perigee.Declaration
---@field pick fun(self: table, key: string, peers: perigee.Peers): (owner: perigee.Endpoint, why: string?) the key's owner, and why in words that `perigee explain` shows
---@field update? fun(self: table, peers: perigee.Peers) the peers changed; runs before any pick

--- Chooses an endpoint for each call. No function may wait, and what they raise counts as a
--- failure: the version before picks, or else the built-in round robin.
---@class perigee.Balancer: perigee.Declaration
---@field pick fun(self: table, request: perigee.Call, endpoints: perigee.Endpoints): (endpoint: perigee.BalancedEndpoint?, why: string?) one of the endpoints, and why in words that `perigee explain` shows; or nil and why it wants none of them
---@field update? fun(self: table, endpoints: perigee.Endpoints) the endpoints changed; runs before any pick
---@field done? fun(self: table, request: perigee.Call, endpoint: perigee.BalancedEndpoint?, outcome: perigee.Outcome) a call ended; `endpoint` is nil when it left meanwhile

--- Loads what nobody has. `fetch` may wait; what it raises fails the callers of that key, after the
--- version before was asked.
---@class perigee.Fallback: perigee.Declaration
---@field fetch fun(self: table, request: perigee.Request, cause: perigee.Cause): (value: string?, answer: perigee.Answer|string|nil, name: string?, more: perigee.Answer?) `value, { ttl = "60s" }`, or `nil, "ENAME: text", "ENAME", { negative_ttl = "1s" }`; the name "ENOTFOUND" says that the value does not exist, every other one is a failure that nobody remembers

--- Why a fallback is asked: this sidecar owns the key ("origin"), or what the owner did.
---@alias perigee.Cause "origin" | "unreachable" | "timeout" | "failed"

--- How long an answer is kept; the group's times without it.
---@class perigee.Answer
---@field ttl? perigee.Duration of a value; 0 is for good
---@field negative_ttl? perigee.Duration of the knowledge that it does not exist; 0 is not at all

--- One entry of a schema.
---@class perigee.Option
---@field type? perigee.OptionType "any" by default
---@field required? boolean
---@field default? any what the policy gets when nothing is configured
---@field values? any[] what is allowed
---@field min? number|string of numbers, and of the length of strings and lists
---@field max? number|string as min
---@field items? perigee.OptionType the type of a list's elements
---@field help? string for readers

--- A duration reaches the policy in milliseconds, a size in bytes.
---@alias perigee.OptionType "string" | "number" | "integer" | "boolean" | "duration" | "size" | "list" | "table" | "any"

---@param declaration perigee.Picker
---@return perigee.Picker declaration
function policy.picker(declaration) end

---@param declaration perigee.Fallback
---@return perigee.Fallback declaration
function policy.fallback(declaration) end

---@param declaration perigee.Balancer
---@return perigee.Balancer declaration
function policy.balancer(declaration) end

--- Another policy's object, made in this VM: for policies that combine others. Only while the file
--- loads, or in `new`; it raises when there is no such policy, or its options do not fit.
---@param kind "fallback" | "picker" | "balancer"
---@param reference string | table "name" or { "name", option = … }
---@return perigee.Used object
function policy.use(kind, reference) end

--- Another policy, with its state bound. It has what that policy declares; `update` and `done` are
--- always there.
---@class perigee.Used
local used = {}

--- As a fallback's fetch.
---@param request perigee.Request
---@param cause perigee.Cause
---@return string? value
---@return perigee.Answer|string|nil answer
---@return string? name
---@return perigee.Answer? more
function used:fetch(request, cause) end

--- To be called with what the policy's own update was, or a part of it.
---@param peers perigee.Peers
function used:update(peers) end

---@param key string|perigee.Call
---@param peers perigee.Peers what its update was called with
---@return perigee.Endpoint? endpoint
---@return string? why of a balancer
function used:pick(key, peers) end

---@param request perigee.Call
---@param endpoint perigee.BalancedEndpoint?
---@param outcome perigee.Outcome
function used:done(request, endpoint, outcome) end

---@return any state
function used:export() end

---@param state any
function used:import(state) end

return policy
