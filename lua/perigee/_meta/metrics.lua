---@meta perigee.metrics

--- Metrics of one's own, shown by the admin listener as `perigee_policy_NAME` with the
--- labels `kind` and `name` of the policy; what the workers count is added up. At most
--- 64 for each policy; names from "errors" on are taken.
local metrics = {}

---@class perigee.Counter
local counter = {}

---@param amount? integer 1 by default, never negative
function counter:add(amount) end

---@class perigee.Gauge
local gauge = {}

---@param amount? integer
function gauge:add(amount) end

--- Makes this worker's part of the sum `value`.
---@param value integer
function gauge:set(value) end

--- Finds or makes a counter; "_total" is appended to its name.
---@param name string of a-z, 0-9 and _
---@param help? string one sentence
---@return perigee.Counter
function metrics.counter(name, help) end

---@param name string
---@param help? string
---@return perigee.Gauge
function metrics.gauge(name, help) end

return metrics
