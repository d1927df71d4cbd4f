-- Modules that return nothing, or false, fail and are required again, or change globals.
-- kind: balancer
-- case nothing_returned: pick: nothing
-- case false_returned: pick: nothing
-- case broken_again: pick: nothing
-- case circle_caught: pick: nothing
-- case globals_changed: pick: nothing
local hostile = require("hostile")

local silent, untrue = require("silent"), require("untrue")
local first, words = pcall(require, "broken")
local second, again = pcall(require, "broken")
local circle, round = pcall(require, "circle_a")
local upper, kind = string.upper, type
require("meddling")

return hostile("balancer", "modules", {
  pick = {
    nothing_returned = function(_, _, endpoints)
      assert(silent == true)
      return endpoints[1]
    end,
    false_returned = function(_, _, endpoints)
      assert(untrue == false and require("untrue") == false)
      return endpoints[1]
    end,
    broken_again = function(_, _, endpoints)
      assert(not first and words:find("raised halfway", 1, true))
      assert(not second and again:find("failed to load", 1, true), again)
      return endpoints[1]
    end,
    circle_caught = function(_, _, endpoints)
      assert(not circle and round:find("requires itself", 1, true), round)
      return endpoints[1]
    end,
    globals_changed = function(_, _, endpoints)
      assert(string.upper == nil and rawget(_G, "type") == nil and upper and kind)
      return endpoints[1]
    end,
  },
})
