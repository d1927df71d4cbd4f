-- Objects of every type from `new`, which only the policy itself sees.
-- kind: balancer
-- case false: pick: nothing
-- case number: pick: nothing
-- case text: pick: nothing
-- case function: pick: nothing
-- case coroutine: pick: nothing
-- case hostile_table: pick: nothing
local policy = require("perigee.policy")

return policy.balancer({
  name = "returns_of_new",
  schema = { case = { type = "string", default = "calm" } },
  new = function(options)
    local objects = {
      ["false"] = false,
      number = 5,
      text = "self",
      ["function"] = print,
      coroutine = coroutine.create(print),
      hostile_table = setmetatable({}, {
        __index = function()
          error("no")
        end,
        __metatable = 1,
      }),
      calm = {},
    }
    return objects[options.case]
  end,
  update = function(self)
    assert(self ~= nil)
  end,
  pick = function(self, _, endpoints)
    assert(self ~= nil)
    return endpoints[1]
  end,
  export = function(self)
    return type(self)
  end,
})
