-- Calls that go ever deeper: in Lua, through C, through metamethods and coroutines.
-- kind: balancer
-- case plain: pick: levels deep | budget of
-- case mutual: pick: levels deep | budget of
-- case wide: pick: levels deep | budget of
-- case pcalls: pick: nothing | budget of | levels deep
-- case xpcalls: pick: nothing | budget of | levels deep
-- case pcalls_then_loop: pick: budget of
-- case index: pick: levels deep | budget of
-- case index_chain: pick: loop in gettable | budget of
-- case newindex: pick: levels deep | budget of
-- case call: pick: levels deep | budget of
-- case concat: pick: levels deep | budget of
-- case less: pick: levels deep | budget of
-- case gsub: pick: each other too deep | budget of
-- case gsub_caught: pick: nothing | budget of | levels deep
-- case gsub_table: pick: each other too deep | budget of
-- case sort: pick: each other too deep | budget of
-- case reader: pick: too deep | budget of
-- case format: pick: each other too deep | budget of
-- case text: pick: deep | budget of
-- case coroutines: pick: coroutines | budget of
-- case coroutine_of_deep: pick: nothing | budget of | levels deep
-- case iterators: pick: levels deep | budget of
-- case loaded: pick: levels deep | budget of
-- case json: pick: nothing | budget of
-- case in_update: update: levels deep | budget of
-- case in_done: done: levels deep | budget of
-- case in_new: new: levels deep | budget of
-- case in_export: export: levels deep | budget of
-- case in_import: import: levels deep | budget of
local hostile = require("hostile")
local json = require("perigee.json")

local function deeper(n)
  return 1 + deeper((n or 0) + 1)
end

local ping, pong
function ping()
  return 1 + pong()
end
function pong()
  return 1 + ping()
end

local function wide()
  local a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + wide()
end

local function catching()
  local ok = pcall(catching)
  return ok
end

local function handling()
  local ok = xpcall(handling, function() end)
  return ok
end

local function chain(event)
  local object = {}
  setmetatable(object, {
    [event] = function(self, other)
      if event == "__index" then
        return 1 .. self[other .. "x"]
      elseif event == "__newindex" then
        self.other = 1
        return 1
      elseif event == "__call" then
        return 1 + self()
      elseif event == "__concat" then
        return 1 + (self .. "")
      end
      return not (self < other)
    end,
  })
  return object
end

local function substitute()
  return (("text"):gsub("t", substitute))
end

return hostile("balancer", "recursion", {
  pick = {
    plain = function()
      deeper()
    end,
    mutual = function()
      ping()
    end,
    wide = wide,
    pcalls = function(_, _, endpoints)
      catching()
      return endpoints[1]
    end,
    xpcalls = function(_, _, endpoints)
      handling()
      return endpoints[1]
    end,
    pcalls_then_loop = function()
      local function down(n)
        if n == 0 then
          while true do
          end
        end
        local ok = pcall(down, n - 1)
        return ok
      end
      down(900)
    end,
    index = function()
      return chain("__index").x
    end,
    index_chain = function()
      local last = {}
      for _ = 1, 1000 do
        last = setmetatable({}, { __index = last })
      end
      return last.x
    end,
    newindex = function()
      local object
      object = setmetatable({}, {
        __newindex = function(self, key)
          self[key .. "x"] = 1
          return 1
        end,
      })
      object.x = 1
    end,
    call = function()
      return chain("__call")()
    end,
    concat = function()
      return chain("__concat") .. ""
    end,
    less = function()
      local one = chain("__lt")
      return one < setmetatable({}, getmetatable(one))
    end,
    gsub = function()
      return substitute()
    end,
    gsub_caught = function(_, _, endpoints)
      local function again()
        local ok, words = pcall(string.gsub, "t", "t", again)
        return ok and words or nil
      end
      again()
      return endpoints[1]
    end,
    gsub_table = function()
      local map
      map = setmetatable({}, {
        __index = function()
          return (("text"):gsub("t", map))
        end,
      })
      return map.x
    end,
    sort = function()
      local function order()
        table.sort({ 3, 1, 2 }, order)
        return false
      end
      order()
    end,
    reader = function()
      local function read()
        local chunk, words = load(read)
        assert(chunk, words)
      end
      local chunk, words = load(read)
      assert(chunk, words)
    end,
    format = function()
      local object
      object = setmetatable({}, {
        __tostring = function()
          return ("%s"):format(object)
        end,
      })
      return nil, ("%s"):format(object)
    end,
    text = function()
      local object
      object = setmetatable({}, {
        __tostring = function()
          return tostring(object) .. "x"
        end,
      })
      return nil, tostring(object)
    end,
    coroutines = function()
      local function nest()
        return coroutine.wrap(nest)()
      end
      nest()
    end,
    coroutine_of_deep = function(_, _, endpoints)
      for _ = 1, 5 do
        coroutine.resume(coroutine.create(catching))
      end
      return endpoints[1]
    end,
    iterators = function()
      local function walk()
        for _ in walk do
          return 1
        end
        return 1
      end
      walk()
    end,
    loaded = function()
      local chunk = assert(load("local self = ... return 1 + self(self)"))
      chunk(chunk)
    end,
    json = function(_, _, endpoints)
      local deep = {}
      for _ = 1, 5000 do
        deep = { deep }
      end
      local text, words = json.encode(deep)
      assert(text == nil and words:find("nested too deep", 1, true), words)
      local value, why = json.decode(("["):rep(10000) .. ("]"):rep(10000))
      assert(value == nil and why, why)
      return endpoints[1]
    end,
  },
  update = { in_update = ping },
  done = { in_done = ping },
  new = { in_new = ping },
  export = { in_export = ping },
  import = { in_import = ping },
})
