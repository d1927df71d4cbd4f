---@meta perigee.log

--- Lines of the sidecar's log, under the policy's kind and name: the arguments joined by spaces.
--- At most 50 a second of a policy are written, of at most 2 KiB; the next one
--- tells how many were left out.
---
--- ```lua
--- local log = require("perigee.log")
---
--- log.warn("the origin is slow:", 1200, "ms")
--- ```
local log = {}

--- For those who look for something; written with `--log-level debug` only.
---@param ... any
function log.debug(...) end

---@param ... any
function log.info(...) end

--- Something is wrong, and is being dealt with.
---@param ... any
function log.warn(...) end

--- Something is wrong, and somebody is hurt.
---@param ... any
function log.error(...) end

return log
