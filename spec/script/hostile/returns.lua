-- What no balancer may return, from everything that it declares.
-- kind: balancer
-- case nothing: pick: not nil
-- case no_value: pick: not nil
-- case false_value: pick: not boolean
-- case true_value: pick: not boolean
-- case number: pick: not number
-- case not_a_number: pick: not number
-- case text: pick: not string
-- case table: pick: not table
-- case function_value: pick: not function
-- case coroutine_value: pick: not thread
-- case the_endpoints: pick: not something else
-- case the_request: pick: not something else
-- case a_view: pick: not something else
-- case light_userdata: pick: not something else
-- case like_an_endpoint: pick: not table
-- case nil_and_number: pick: not nil
-- case nil_and_table: pick: not nil
-- case nil_and_huge: pick: nothing | budget of
-- case huge_reason: pick: nothing | budget of
-- case odd_reason: pick: nothing
-- case no_reason: pick: nothing
-- case many: pick: nothing
-- case many_nils: pick: not nil
-- case from_update: pick: nothing
-- case from_done: done: nothing
-- case new_nothing: new: new() returned nothing
-- case new_nil: new: no thanks
-- case new_huge: new: xxxx
-- case export_function: export: only plain data
-- case export_cycle: export: holds itself
-- case export_handle: export: only plain data
-- case export_huge: export: more than | budget of
-- case export_deep: export: nested too deep
-- case export_shared: export: more than | budget of
local hostile = require("hostile")
local json = require("perigee.json")

local function give(...)
  local values, count = { ... }, select("#", ...)
  return function()
    return unpack(values, 1, count)
  end
end

local function first(self, _, endpoints)
  assert(self ~= nil)
  return endpoints[1]
end

local cycle = {}
cycle.cycle = cycle
local deep, shared = {}, { 1 }
for _ = 1, 100 do
  deep = { deep }
end
for _ = 1, 25 do
  shared = { shared, shared }
end

local kept
local declaration = {
  pick = {
    nothing = function() end,
    no_value = give(nil),
    false_value = give(false, "why"),
    true_value = give(true),
    number = give(1),
    not_a_number = give(0 / 0),
    text = function(_, _, endpoints)
      local address = endpoints[1]:address()
      return address
    end,
    table = give({}),
    function_value = give(print),
    coroutine_value = give(coroutine.create(print)),
    the_endpoints = function(_, _, endpoints)
      return endpoints
    end,
    the_request = function(_, request)
      return request
    end,
    a_view = function(_, _, endpoints)
      local view = endpoints:only({ endpoints[1] })
      return view
    end,
    light_userdata = give(json.null),
    like_an_endpoint = function(_, _, endpoints)
      return setmetatable({}, { __index = endpoints[1], __metatable = "perigee.endpoint" })
    end,
    nil_and_number = give(nil, 5),
    nil_and_table = give(nil, { "why" }),
    nil_and_huge = function()
      return nil, ("why "):rep(25000)
    end,
    huge_reason = function(_, _, endpoints)
      return endpoints[1], ("why "):rep(25000)
    end,
    odd_reason = function(_, _, endpoints)
      return endpoints[1], "\0\255\n\27[31m"
    end,
    no_reason = function(_, _, endpoints)
      return endpoints[1], { reason = "table" }
    end,
    many = function(_, _, endpoints)
      local list = { endpoints[1], "why" }
      for i = 3, 2000 do
        list[i] = i
      end
      return unpack(list)
    end,
    many_nils = function()
      return unpack({}, 1, 2000)
    end,
    from_update = first,
  },
  update = {
    from_update = function(_, endpoints)
      kept = endpoints
      return kept, nil, "x", {}
    end,
    export_handle = function(_, endpoints)
      kept = endpoints
    end,
  },
  done = { from_done = give(false, "x") },
  new = {
    new_nothing = function() end,
    new_nil = give(nil, "no thanks"),
    new_huge = function()
      return nil, ("x"):rep(1000000)
    end,
  },
  export = {
    export_function = give({ f = print }),
    export_cycle = give(cycle),
    export_handle = function()
      return { kept }
    end,
    export_huge = function()
      local list = {}
      for i = 1, 20 do
        list[i] = (("%d"):format(i)):rep(100000)
      end
      return list
    end,
    export_deep = give(deep),
    export_shared = give(shared),
  },
}
return hostile("balancer", "returns", declaration)
