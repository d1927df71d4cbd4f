--- Sends some calls to a new version of a service, and all others to what else there is:
---
---   balancer = { "canary", version = "2.0", header = "x-canary", percent = 5, by = "x-user" }
---
--- The canary is every endpoint whose metadata say `version = "2.0"`. Calls with the header `x-canary: always`
--- go there, those with `x-canary: never` do not; of the others five in a hundred do. Which ones is decided by
--- a hash of the header `by`: a user stays on the same side on every sidecar, and who is among the first 5 % is
--- still there at 10 %. Calls without that header are drawn. While half of the canary fails it only gets the
--- calls that ask for it.
local failing = require("lib.failing")
local hash = require("perigee.hash")
local policy = require("perigee.policy")
local random = require("perigee.random")

local BUCKETS = 10000

-- Whether a call is the canary's, and why.
local function wants(self, request)
  local options = self.options
  local said = options.header and request:header(options.header)
  if said == "always" or said == "never" then
    return said == "always", ("the call says %s: %s"):format(options.header, said)
  end
  if options.percent == 0 then
    return false, "no share is set"
  end
  local key = options.by and request:header(options.by)
  local bucket = key and hash.bucket(options.salt .. key, BUCKETS) or random.integer(1, BUCKETS)
  if bucket > options.percent / 100 * BUCKETS then
    return false, key and self.not_hashed or "not drawn"
  end
  if failing.half_of(self.canary, options.max_failures) then
    return false, "half of the canary fails"
  end
  return true, key and self.hashed or "drawn"
end

return policy.balancer({
  name = "canary",
  schema = {
    version = { type = "string", required = true, min = 1, help = "of the canary, as its metadata say" },
    header = { type = "string", help = 'of calls that decide themselves by "always" or "never"' },
    percent = { type = "number", default = 0, min = 0, max = 100, help = "of the other calls" },
    by = { type = "string", help = "header that keeps its calls on one side" },
    salt = { type = "string", default = "", help = "another one puts other users first" },
    max_failures = { type = "number", default = 5, min = 0, help = "recent ones of an endpoint, halved every 10 s" },
    balancer = { type = "any", default = "p2c_ewma", help = 'for either side: "name" or { "name", … }' },
  },
  new = function(options)
    options.header = options.header and options.header:lower()
    options.by = options.by and options.by:lower()
    return {
      options = options,
      hashed = ("%s is among the first %g %%"):format(options.by, options.percent),
      not_hashed = ("%s is not among the first %g %%"):format(options.by, options.percent),
      canary_balancer = policy.use("balancer", options.balancer),
      stable_balancer = policy.use("balancer", options.balancer),
    }
  end,
  update = function(self, endpoints)
    local canary, stable = {}, {}
    for i = 1, #endpoints do
      local part = endpoints[i]:metadata("version") == self.options.version and canary or stable
      part[#part + 1] = endpoints[i]
    end
    self.canary, self.stable = { view = endpoints:only(canary) }, { view = endpoints:only(stable) }
    self.canary_balancer:update(self.canary.view)
    self.stable_balancer:update(self.stable.view)
  end,
  pick = function(self, request)
    local canary, why = wants(self, request)
    if canary and #self.canary.view == 0 then
      canary, why = false, why .. ", but no canary is left to try"
    elseif not canary and #self.stable.view == 0 then
      canary, why = true, why .. ", but nothing else is left to try"
    end
    if canary then
      return self.canary_balancer:pick(request, self.canary.view), "canary: " .. why
    end
    return self.stable_balancer:pick(request, self.stable.view), "stable: " .. why
  end,
  selftest = function(try)
    local balancer = assert(try.new({ version = "2", header = "x-canary", percent = 50, by = "x-user" }))
    local endpoints = try.endpoints({
      { address = "10.0.0.1:1" },
      { address = "10.0.0.2:1", metadata = { version = "2" } },
    })
    local function version_for(headers)
      return balancer:pick(try.request({ headers = headers }), endpoints):metadata("version")
    end
    balancer:update(endpoints)
    assert(version_for({ ["x-canary"] = "always" }) == "2", "always is the canary's")
    assert(version_for({ ["x-canary"] = "never" }) == nil, "never is not")
    assert(version_for({ ["x-user"] = "tom" }) == version_for({ ["x-user"] = "tom" }), "a user stays on one side")
  end,
})
