---@meta perigee.log

--- Lines of the sidecar's log, under the policy's name: the arguments joined by spaces.
--- At most 50 a second are written; what was left out is counted.
local log = {}

---@param ... any
function log.debug(...) end

---@param ... any
function log.info(...) end

---@param ... any
function log.warn(...) end

---@param ... any
function log.error(...) end

return log
