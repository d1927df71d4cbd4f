-- A module that raises halfway through loading.
-- kind: balancer
-- case load: load: raised halfway
local hostile = require("hostile")
local broken = require("broken")

return hostile("balancer", "module_broken", broken)
