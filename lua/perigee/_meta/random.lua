---@meta perigee.random

--- Random numbers for choices; nothing secret should be made of them. A picker draws none, since
--- every node must pick the same owner.
---
--- ```lua
--- local random = require("perigee.random")
---
--- local wait_ms = 100 * (0.5 + random.number())
--- local die = random.integer(1, 6)
--- ```
local random = {}

---@return number number from 0 to below 1
function random.number() end

--- A whole number from `low` to `high`, each as likely.
---@param low integer
---@param high integer
---@return integer number
function random.integer(low, high) end

return random
