---@meta perigee.clock

local clock = {}

--- Milliseconds of a clock that never jumps; only differences mean something.
---@return number
function clock.now_ms() end

--- Seconds since 1970, with fractions.
---@return number
function clock.unix() end

--- Waits, in a fetch.
---@param duration string|number "250ms", or milliseconds
function clock.sleep(duration) end

return clock
