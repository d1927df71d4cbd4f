---@meta perigee.metrics

--- Metrics of one's own, shown by the admin listener as `perigee_policy_NAME` with the labels
--- `kind` and `name` of the policy; what the workers count is added up. A policy has at most 64;
--- names that begin with "errors", and "off", "version", "refused" and "reloads", are taken.
---
--- ```lua
--- local metrics = require("perigee.metrics")
---
--- local misses = metrics.counter("misses", "Keys that the origin did not have.")
--- misses:add()
--- ```
local metrics = {}

--- A number that grows.
---@class perigee.Counter
local counter = {}

---@param amount? integer 1 by default, never negative
function counter:add(amount) end

--- A number that comes and goes. It is shown while the version that keeps it is the running one.
---@class perigee.Gauge
local gauge = {}

---@param amount? integer 1 by default
function gauge:add(amount) end

--- Makes this worker's part of the sum `value`.
---@param value integer
function gauge:set(value) end

--- Finds or makes a counter; "_total" is appended to its name.
---@param name string of a-z, 0-9 and _, at most 64 characters
---@param help? string one sentence, at most 200 bytes
---@return perigee.Counter counter
function metrics.counter(name, help) end

--- Finds or makes a gauge.
---@param name string of a-z, 0-9 and _, at most 64 characters
---@param help? string one sentence, at most 200 bytes
---@return perigee.Gauge gauge
function metrics.gauge(name, help) end

return metrics
