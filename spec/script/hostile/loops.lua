-- Loops that never end, wherever code of a policy runs.
-- kind: balancer
-- case plain: pick: budget of
-- case in_pcall: pick: budget of
-- case in_pcalls: pick: budget of
-- case in_deep_pcalls: pick: budget of | levels deep
-- case in_xpcall: pick: budget of
-- case in_xpcall_handler: pick: budget of
-- case tail_calls: pick: budget of
-- case index: pick: budget of
-- case newindex: pick: budget of
-- case call: pick: budget of
-- case less: pick: budget of
-- case equal: pick: budget of
-- case concat: pick: budget of
-- case arithmetic: pick: budget of
-- case minus: pick: budget of
-- case text: pick: budget of
-- case format: pick: budget of
-- case environment: pick: budget of
-- case coroutine: pick: budget of
-- case coroutines: pick: budget of
-- case iterator: pick: budget of
-- case wrapped_iterator: pick: budget of
-- case sort: pick: budget of
-- case gsub: pick: budget of
-- case loaded: pick: budget of
-- case reader: pick: budget of
-- case empty_for: pick: budget of
-- case in_update: update: budget of
-- case in_update_pcall: update: budget of
-- case in_done: done: budget of
-- case in_done_pcall: done: budget of
-- case in_new: new: budget of
-- case in_new_pcall: new: budget of
-- case in_export: export: budget of
-- case in_import: import: budget of
local hostile = require("hostile")

local function forever()
  while true do
  end
end

local function with(event)
  return setmetatable({}, { [event] = forever })
end

local function again(_, state)
  return state
end

local pick = {
  plain = forever,
  in_pcall = function()
    pcall(forever)
    return nil, "caught"
  end,
  in_pcalls = function()
    while true do
      pcall(forever)
    end
  end,
  in_deep_pcalls = function()
    local function deeper()
      local ok = pcall(deeper)
      pcall(forever)
      return ok
    end
    deeper()
  end,
  in_xpcall = function()
    while true do
      xpcall(forever, function() end)
    end
  end,
  in_xpcall_handler = function()
    xpcall(error, forever)
    return nil, "handled"
  end,
  tail_calls = function(self, ...)
    local function go(...)
      return go(...)
    end
    return go(...)
  end,
  index = function()
    return with("__index").field
  end,
  newindex = function()
    with("__newindex").field = 1
  end,
  call = function()
    with("__call")()
  end,
  less = function()
    local one, two = with("__lt"), {}
    setmetatable(two, getmetatable(one))
    return one < two
  end,
  equal = function()
    local one, two = with("__eq"), {}
    setmetatable(two, getmetatable(one))
    return one == two
  end,
  concat = function()
    return with("__concat") .. "text"
  end,
  arithmetic = function()
    return with("__add") + 1
  end,
  minus = function()
    return -with("__unm")
  end,
  text = function()
    return nil, tostring(with("__tostring"))
  end,
  format = function()
    return nil, ("%s"):format(with("__tostring"))
  end,
  environment = function()
    setmetatable(_G, { __index = forever })
    return _G.unheard_of
  end,
  coroutine = function()
    coroutine.wrap(forever)()
  end,
  coroutines = function()
    while true do
      coroutine.resume(coroutine.create(forever))
    end
  end,
  iterator = function()
    for _ in again, nil, 1 do
    end
  end,
  wrapped_iterator = function()
    for _ in
      coroutine.wrap(function()
        while true do
          coroutine.yield(1)
        end
      end)
    do
    end
  end,
  sort = function()
    table.sort({ 3, 1, 2 }, forever)
  end,
  gsub = function()
    return (("text"):gsub(".", forever))
  end,
  loaded = function()
    local loop = assert(load("while true do end"))
    loop()
  end,
  reader = function()
    load(function()
      return " "
    end)
  end,
  empty_for = function()
    for _ = 1, math.huge do
    end
  end,
}

local function in_pcall()
  while true do
    pcall(forever)
  end
end

return hostile("balancer", "loops", {
  pick = pick,
  update = { in_update = forever, in_update_pcall = in_pcall },
  done = { in_done = forever, in_done_pcall = in_pcall },
  new = { in_new = forever, in_new_pcall = in_pcall },
  export = { in_export = forever },
  import = { in_import = forever },
})
