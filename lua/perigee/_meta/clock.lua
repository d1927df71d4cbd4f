---@meta perigee.clock

--- The time. A picker looks at no clock, since every node must pick the same owner.
---
--- ```lua
--- local clock = require("perigee.clock")
---
--- local started = clock.now_ms()
--- clock.sleep("50ms")
--- local took_ms = clock.now_ms() - started
--- ```
local clock = {}

--- A duration as configurations write it, "250ms" or "1.5h" (ns, us, ms, s, m, h, d), or a
--- number of milliseconds.
---@alias perigee.Duration string | number

--- Of a clock that never jumps: only differences mean something.
---@return number ms with fractions
function clock.now_ms() end

--- The time of day.
---@return number seconds since 1970, with fractions
function clock.unix() end

--- Waits, in a fetch. Elsewhere it raises, and beyond the policy's limit of `timers` too.
---@param duration perigee.Duration
function clock.sleep(duration) end

return clock
