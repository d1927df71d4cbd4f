-- Declares a policy whose option `case` says which attack is made, and where. Without
-- it, it is well behaved.
local policy = require("perigee.policy")

-- attacks[stage][case] takes what that function of the policy gets.
return function(kind, name, attacks, more)
  local function at(stage, calm)
    local cases = attacks[stage] or {}
    return function(self, ...)
      local attack = cases[self.case] or calm
      return attack(self, ...)
    end
  end
  local function nothing() end
  local declaration = {
    name = name,
    schema = { case = { type = "string", default = "calm" } },
    new = function(options)
      local attack = (attacks.new or {})[options.case]
      if attack then
        return attack(options)
      end
      return { case = options.case }
    end,
    export = at("export", function()
      return { kept = true }
    end),
    import = at("import", nothing),
  }
  if kind == "fallback" then
    declaration.fetch = at("fetch", function()
      return "calm"
    end)
  else
    declaration.update = at("update", nothing)
    declaration.pick = at("pick", function(_, _, endpoints)
      return endpoints[1]
    end)
  end
  if kind == "picker" then
    declaration.pick = at("pick", function(_, _, peers)
      return peers[1]
    end)
  elseif kind == "balancer" then
    declaration.done = at("done", nothing)
  end
  for key, value in pairs(more or {}) do
    declaration[key] = value
  end
  return policy[kind](declaration)
end
