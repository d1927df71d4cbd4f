-- Finalizers of a policy's own objects, which must never run.
-- kind: balancer
-- case tables: pick: nothing
-- case endless: pick: nothing
-- case raising: pick: nothing
-- case proxy: pick: nothing
-- case coroutines: pick: nothing
-- case of_handles: pick: nothing
local hostile = require("hostile")

local ran = 0

local function leave(finalizer)
  for _ = 1, 200 do
    setmetatable({}, { __gc = finalizer })
  end
  local garbage
  for i = 1, 2000 do
    garbage = { i, garbage and garbage[1] }
  end
  assert(ran == 0, "a finalizer ran")
end

return hostile("balancer", "finalizers", {
  pick = {
    tables = function(_, _, endpoints)
      leave(function()
        ran = ran + 1
      end)
      return endpoints[1]
    end,
    endless = function(_, _, endpoints)
      leave(function()
        while true do
        end
      end)
      return endpoints[1]
    end,
    raising = function(_, _, endpoints)
      leave(function()
        error({})
      end)
      return endpoints[1]
    end,
    proxy = function(_, _, endpoints)
      assert(_G.newproxy == nil)
      return endpoints[1]
    end,
    coroutines = function(_, _, endpoints)
      for _ = 1, 100 do
        local co = coroutine.create(function()
          pcall(coroutine.yield)
          ran = ran + 1
        end)
        coroutine.resume(co)
      end
      return endpoints[1]
    end,
    of_handles = function(_, request, endpoints)
      for _, handle in ipairs({ request, endpoints, endpoints[1] }) do
        assert(type(getmetatable(handle)) == "string")
        assert(not pcall(setmetatable, handle, { __gc = leave }))
        assert(not pcall(function()
          return handle.__gc(handle)
        end))
      end
      return endpoints[1]
    end,
  },
})
