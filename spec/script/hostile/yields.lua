-- Yields where nobody can go on.
-- kind: balancer
-- case in_pick: pick: yield
-- case in_pick_caught: pick: nothing
-- case in_metamethod: pick: yield
-- case in_gsub: pick: yield
-- case in_sort: pick: yield
-- case in_reader: pick: yield
-- case in_text: pick: yield
-- case in_iterator: pick: yield
-- case waiting: pick: may not wait here
-- case reading: pick: may not wait here
-- case asking: pick: may not wait here
-- case waiting_in_coroutine: pick: may not wait here
-- case resumed_by_itself: pick: nothing
-- case handed_out: pick: nothing
-- case in_update: update: yield
-- case in_done: done: yield
-- case in_new: new: yield
-- case in_export: export: yield
-- case in_import: import: yield
local clock = require("perigee.clock")
local file = require("perigee.file")
local hostile = require("hostile")
local http = require("perigee.http")

local yield = coroutine.yield

local function stop()
  yield()
  error("it went on")
end

return hostile("balancer", "yields", {
  pick = {
    in_pick = stop,
    in_pick_caught = function(_, _, endpoints)
      local ok, words = pcall(yield)
      assert(not ok and words:find("yield", 1, true), words)
      return endpoints[1]
    end,
    in_metamethod = function()
      return setmetatable({}, { __index = stop }).x
    end,
    in_gsub = function()
      local text = ("x"):gsub("x", stop)
      return nil, text
    end,
    in_sort = function()
      table.sort({ 2, 1 }, stop)
    end,
    in_reader = function()
      local chunk, words = load(stop)
      assert(chunk, words)
    end,
    in_text = function()
      local text = tostring(setmetatable({}, { __tostring = stop }))
      return nil, text
    end,
    in_iterator = function()
      for _ in stop do
      end
    end,
    waiting = function()
      clock.sleep(1)
    end,
    reading = function()
      file.read("x")
    end,
    asking = function()
      http.get("http://127.0.0.1:1/")
    end,
    waiting_in_coroutine = function()
      coroutine.wrap(clock.sleep)(1)
    end,
    resumed_by_itself = function(_, _, endpoints)
      local co
      co = coroutine.create(function()
        return coroutine.resume(co)
      end)
      local _, ok, words = coroutine.resume(co)
      assert(not ok and words:find("cannot resume", 1, true), words)
      return endpoints[1]
    end,
    handed_out = function(_, request, endpoints)
      local co = coroutine.create(function(...)
        local got = { ... }
        while true do
          got = { yield(unpack(got)) }
        end
      end)
      local _, one, two = coroutine.resume(co, endpoints, request)
      assert(one == endpoints and two == request)
      return endpoints[1]
    end,
  },
  update = { in_update = stop },
  done = { in_done = stop },
  new = { in_new = stop },
  export = { in_export = stop },
  import = { in_import = stop },
})
