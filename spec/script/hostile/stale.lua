-- Handles that are kept and used after their end.
-- kind: balancer
-- case request: later: this request is used after its end
-- case request_in_coroutine: later: this request is used after its end
-- case endpoints: pick: these peers are used after their end
-- case endpoint: pick: this endpoint is used after its end
-- case view: pick: these endpoints are used after their end
-- case view_of_old: pick: used after their end
-- case returned: pick: pick must return one of its endpoints
-- case returned_of_view: pick: pick must return one of its endpoints
-- case drawn: pick: these peers are used after their end
-- case text: pick: nothing
local hostile = require("hostile")

-- Runs once for an earlier set of endpoints, which a second update ends.
local function keep(self, endpoints)
  if not self.first then
    self.first, self.endpoint = endpoints, endpoints[1]
    self.view = endpoints:only({ endpoints[1], endpoints[2] })
  end
end

local names = { "endpoints", "endpoint", "view", "view_of_old", "returned", "returned_of_view", "drawn", "text" }
local update = {}
for _, name in ipairs(names) do
  update[name] = keep
end

local kept

function update.request()
  local method = kept and kept:method()
  return method
end

function update.request_in_coroutine(self)
  if self.left then
    self.left()
  end
end

return hostile("balancer", "stale", {
  update = update,
  pick = {
    request = function(_, request, endpoints)
      kept = request
      return endpoints[1]
    end,
    request_in_coroutine = function(self, request, endpoints)
      self.left = coroutine.wrap(function()
        coroutine.yield()
        return request:method()
      end)
      self.left()
      return endpoints[1]
    end,
    endpoints = function(self)
      return self.first[1]
    end,
    endpoint = function(self)
      local address = self.endpoint:address()
      return nil, address
    end,
    view = function(self)
      local count = #self.view
      return nil, count
    end,
    view_of_old = function(self, _, endpoints)
      local view = self.view:only({ endpoints[1] })
      return view[1]
    end,
    returned = function(self)
      return self.endpoint
    end,
    returned_of_view = function(self)
      return self.endpoint, "kept"
    end,
    drawn = function(self)
      local one = self.first:draw()
      return one
    end,
    text = function(self, _, endpoints)
      assert(tostring(self.first) == "peers of (ended)" and tostring(self.endpoint) == "endpoint (ended)")
      return endpoints[1]
    end,
  },
})
