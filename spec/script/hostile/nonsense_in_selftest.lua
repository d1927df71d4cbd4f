-- A test that gives its toolkit nonsense, keeps all that it gets, and uses it later.
-- kind: balancer
-- case kept: pick: nothing
local hostile = require("hostile")

local kept = {}

local function fails(body, ...)
  local ok, words = pcall(body, ...)
  assert(not ok, "it worked")
  return words
end

return hostile("balancer", "nonsense_in_selftest", {
  pick = {
    kept = function(_, _, endpoints)
      for _, handle in ipairs(kept) do
        for _, name in ipairs({ "service", "method", "address", "inflight", "draw" }) do
          fails(function()
            return handle[name](handle)
          end)
        end
        assert(tostring(handle))
      end
      fails(kept.try.endpoints, {})
      fails(kept.try.request)
      fails(kept.try.new)
      return endpoints[1]
    end,
  },
}, {
  selftest = function(try)
    kept.try = try
    for _, wrong in ipairs({ 5, "x", print, true, coroutine.create(print) }) do
      fails(try.endpoints, wrong)
      fails(try.endpoints, { wrong })
      fails(try.endpoints, { { address = wrong } })
      fails(try.request, wrong)
      fails(try.request, { headers = wrong })
      fails(try.new, wrong)
    end
    fails(try.endpoints)
    local raising = setmetatable({}, {
      __index = function()
        error("asked")
      end,
    })
    fails(try.endpoints, { raising })
    local one = { address = "10.0.0.1:1" }
    kept[1] = try.endpoints({ one, one, { address = "10.0.0.2:1" } })
    kept[2], kept[3], kept[4] = kept[1][1], try.request({ service = "s" .. 1, headers = { a = "b" .. 2 } }), kept[1]:only({ kept[1][1] })
    assert(#kept[1] >= 1)
    for _ = 1, 10 do
      assert(try.new())
    end
  end,
})
