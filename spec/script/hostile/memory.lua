-- Memory without end, in every form that a policy can ask for it.
-- kind: balancer
-- case one_string: pick: memory cap | budget of
-- case concatenation: pick: memory cap | budget of
-- case rep: pick: memory cap | budget of
-- case strings: pick: memory cap | budget of
-- case tables: pick: memory cap | budget of
-- case one_table: pick: memory cap | budget of
-- case nested_tables: pick: memory cap | budget of
-- case sparse_table: pick: memory cap | budget of
-- case closures: pick: memory cap | budget of
-- case coroutines: pick: coroutines | memory cap | budget of
-- case functions: pick: memory cap | budget of
-- case arguments: pick: budget of | overflow | too many results | levels deep | memory cap
-- case views: pick: memory cap | budget of
-- case buffers: pick: memory cap | budget of
-- case caught: pick: budget of | memory cap
-- case caught_once: pick: nothing | budget of | memory cap
-- case json: pick: memory cap | budget of
-- case in_update: update: memory cap | budget of
-- case in_done: done: memory cap | budget of
-- case in_new: new: memory cap | budget of
-- case in_export: export: more than | memory cap | budget of
local hostile = require("hostile")

local function grow(make)
  return function()
    local list, n = {}, 0
    while true do
      n = n + 1
      list[n] = make(n, list)
    end
  end
end

local strings = grow(function(n)
  return ("x"):rep(1000) .. n
end)

local function one_string()
  local text = "x"
  while true do
    text = text .. text
  end
end

return hostile("balancer", "memory", {
  pick = {
    one_string = one_string,
    concatenation = function()
      local text = ""
      while true do
        text = text .. "some more of it "
      end
    end,
    rep = grow(function(n)
      return ("x"):rep(2 ^ math.min(n, 40))
    end),
    strings = strings,
    tables = grow(function()
      return {}
    end),
    one_table = grow(function(n)
      return n
    end),
    nested_tables = function()
      local tower = {}
      while true do
        tower = { tower }
      end
    end,
    sparse_table = function()
      local list, n = {}, 1
      while true do
        n = (n * 16807) % 2147483647
        list[n] = n
      end
    end,
    closures = grow(function(n, list)
      return function()
        return n, list
      end
    end),
    coroutines = grow(function()
      local co = coroutine.create(function()
        coroutine.yield()
      end)
      coroutine.resume(co)
      return co
    end),
    functions = grow(function(n)
      return load(("return %d, '%s'"):format(n, ("x"):rep(100)))
    end),
    arguments = function()
      local function more(...)
        return more(1, ...)
      end
      more()
    end,
    views = function(_, _, endpoints)
      local list, all = {}, {}
      for i = 1, 1000 do
        all[i] = endpoints[1]
      end
      while true do
        list[#list + 1] = endpoints:only(all)
      end
    end,
    buffers = function()
      local parts = {}
      for i = 1, 1e9 do
        parts[i] = "part " .. i
        if i % 1000 == 0 then
          parts[1] = table.concat(parts, ", ", 1, i)
        end
      end
    end,
    caught = function()
      while true do
        pcall(one_string)
      end
    end,
    caught_once = function(_, _, endpoints)
      pcall(string.rep, "x", 7000000)
      return endpoints[1]
    end,
    json = function()
      local json = require("perigee.json")
      local list = {}
      while true do
        list[#list + 1] = json.decode("[" .. ("[1],"):rep(1000) .. "1]")
      end
    end,
  },
  update = { in_update = strings },
  done = { in_done = strings },
  new = {
    in_new = function()
      strings()
    end,
  },
  export = {
    in_export = function()
      local list = {}
      for i = 1, 3000 do
        list[i] = ("x"):rep(1000) .. i
      end
      return list
    end,
  },
})
