-- A test that asks for more and more of what is held outside of the policy's memory.
-- kind: balancer
-- case load: load: may make 64 handles | memory cap | budget of
local hostile = require("hostile")

return hostile("balancer", "memory_in_selftest", {}, {
  selftest = function(try)
    local list = {}
    for i = 1, 1000 do
      list[i] = { address = "10.0." .. math.floor(i / 250) .. "." .. i % 250 .. ":1", metadata = { x = ("x"):rep(100) } }
    end
    while true do
      try.endpoints(list)
    end
  end,
})
