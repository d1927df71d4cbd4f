-- A test that starts requests, timers and reads, leaves coroutines behind, and goes on with them later.
-- kind: balancer
-- case left: pick: nothing
local clock = require("perigee.clock")
local file = require("perigee.file")
local hostile = require("hostile")
local http = require("perigee.http")

local left = {}

local function waits()
  for _, wait in ipairs({ { clock.sleep, 1 }, { clock.sleep, "1h" }, { http.get, "http://127.0.0.1:1/" }, { file.read, "x" } }) do
    local ok, words = pcall(wait[1], wait[2])
    assert(not ok and words:find("may not wait here", 1, true), words)
  end
end

return hostile("balancer", "waits_in_selftest", {
  pick = {
    left = function(_, _, endpoints)
      for _, co in ipairs(left) do
        local ok, words = coroutine.resume(co)
        assert(ok or words:find("dead", 1, true), words)
      end
      return endpoints[1]
    end,
  },
}, {
  selftest = function(try)
    waits()
    coroutine.wrap(waits)()
    for i = 1, 10 do
      left[i] = coroutine.create(function()
        coroutine.yield()
        waits()
        assert(not pcall(try.new))
      end)
      assert(coroutine.resume(left[i]))
    end
  end,
})
