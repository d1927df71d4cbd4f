---@meta perigee.random

--- Random numbers for choices; nothing secret should be made of them.
local random = {}

---@return number number from 0 to below 1
function random.number() end

---@param low integer
---@param high integer
---@return integer number from `low` to `high`, each as likely
function random.integer(low, high) end

return random
