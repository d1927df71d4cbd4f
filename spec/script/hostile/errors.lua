-- Errors that are hard to tell of: huge, cyclic, no text, raising or endless when asked for
-- their text.
-- kind: balancer
-- case huge: pick: xxxx | memory cap | budget of
-- case huge_line: pick: line
-- case zeros: pick: errors.lua
-- case cyclic: pick: an error value of type table
-- case number: pick: 42
-- case none: pick: an error value of type nil
-- case boolean: pick: an error value of type boolean
-- case a_function: pick: an error value of type function
-- case a_coroutine: pick: an error value of type thread
-- case a_handle: pick: endpoint
-- case with_text: pick: with its own words
-- case huge_text: pick: xxxx | memory cap | __tostring fails | budget of
-- case raising_text: pick: whose __tostring fails
-- case raising_itself: pick: whose __tostring fails
-- case endless_text: pick: budget of
-- case recursive_text: pick: whose __tostring fails
-- case no_text: pick: an error value of type table
-- case hidden: pick: an error value of type table
-- case level_zero: pick: without a place
-- case far_level: pick: from nowhere
-- case in_coroutine: pick: in a coroutine
-- case from_handler: pick: from the handler
-- case again_and_again: pick: budget of
-- case hundreds: pick: number
-- case in_update: update: an error value of type table
-- case in_done: done: whose __tostring fails
-- case in_new: new: whose __tostring fails
-- case in_export: export: whose __tostring fails
-- case in_import: import: whose __tostring fails
local hostile = require("hostile")

local function with_text(text)
  return setmetatable({}, { __tostring = text })
end

local function raising()
  error(with_text(function()
    error("no text")
  end))
end

return hostile("balancer", "errors", {
  pick = {
    huge = function()
      error(("x"):rep(2000000))
    end,
    huge_line = function()
      error(("line\n"):rep(20000))
    end,
    zeros = function()
      error("zero \0 bytes \1\2\255")
    end,
    cyclic = function()
      local cycle = {}
      cycle.cycle = cycle
      setmetatable(cycle, cycle)
      error(cycle)
    end,
    number = function()
      error(42)
    end,
    none = function()
      error()
    end,
    boolean = function()
      error(false)
    end,
    a_function = function()
      error(error)
    end,
    a_coroutine = function()
      error(coroutine.create(error))
    end,
    a_handle = function(_, _, endpoints)
      error(setmetatable({}, {
        __tostring = function()
          return "endpoint " .. tostring(endpoints[1])
        end,
      }))
    end,
    with_text = function()
      error(with_text(function()
        return "with its own words"
      end))
    end,
    huge_text = function()
      error(with_text(function()
        return ("x"):rep(2000000)
      end))
    end,
    raising_text = raising,
    raising_itself = function()
      local object
      object = with_text(function()
        error(object)
      end)
      error(object)
    end,
    endless_text = function()
      error(with_text(function()
        while true do
        end
      end))
    end,
    recursive_text = function()
      local object
      object = with_text(function()
        return tostring(object) .. "x"
      end)
      error(object)
    end,
    no_text = function()
      error(with_text(function()
        return {}
      end))
    end,
    hidden = function()
      error(setmetatable({}, { __metatable = 5, __index = error, __tostring = nil }))
    end,
    level_zero = function()
      error("without a place", 0)
    end,
    far_level = function()
      error("from nowhere", 1000)
    end,
    in_coroutine = function()
      coroutine.wrap(function()
        error("in a coroutine")
      end)()
    end,
    from_handler = function()
      xpcall(error, function()
        error("from the handler")
      end)
    end,
    again_and_again = function()
      while true do
        pcall(error, with_text(error))
      end
    end,
    hundreds = function(self)
      self.count = (self.count or 0) + 1
      error("number")
    end,
  },
  update = {
    in_update = function()
      error({})
    end,
  },
  done = { in_done = raising },
  new = { in_new = raising },
  export = { in_export = raising },
  import = { in_import = raising },
})
