-- Table builtins, and plain instructions on large tables, that run long.
-- kind: balancer
-- case sort: pick: budget of
-- case sort_by_builtin: pick: budget of | invalid order
-- case sort_by_nonsense: pick: budget of | invalid order
-- case sort_growing: pick: budget of | invalid order | compare
-- case insert_in_front: pick: budget of
-- case remove_in_front: pick: budget of
-- case remove_at_end: pick: nothing
-- case move: pick: budget of
-- case move_far: pick: budget of | memory cap
-- case concat_numbers: pick: budget of
-- case concat_range: pick: invalid value
-- case unpack_many: pick: budget of
-- case unpack_all: pick: too many results
-- case unpack_huge: pick: too many results
-- case unpack_backwards: pick: nothing
-- case select_many: pick: budget of
-- case next_empty: pick: budget of
-- case pairs_empty: pick: budget of
-- case rehash: pick: budget of | memory cap
-- case length: pick: budget of
-- case copy: pick: budget of
-- case while_traversed: pick: nothing | budget of
local hostile = require("hostile")

local numbers, few = {}, {}
for i = 1, 30000 do
  numbers[i] = (i * 7919) % 100003 + 0.5
end
for i = 1, 7000 do
  few[i] = i
end
local emptied = {}
for i = 1, 5000 do
  emptied["k" .. i] = true
end
for key in pairs(emptied) do
  emptied[key] = nil
end

local function always(body)
  return function()
    while true do
      body()
    end
  end
end

local function count(...)
  return select("#", ...)
end

return hostile("balancer", "tables", {
  pick = {
    sort = always(function()
      table.sort(numbers)
    end),
    sort_by_builtin = always(function()
      table.sort(numbers, rawequal)
    end),
    sort_by_nonsense = always(function()
      table.sort(numbers, function()
        return true
      end)
    end),
    sort_growing = function()
      local list = { 3, 1, 2 }
      table.sort(list, function()
        for _ = 1, 1000 do
          list[#list + 1] = {}
        end
        return math.random() < 0.5
      end)
      while true do
        table.sort(list)
      end
    end,
    insert_in_front = always(function()
      table.insert(numbers, 1, 1)
      numbers[#numbers] = nil
    end),
    remove_in_front = always(function()
      numbers[#numbers + 1] = table.remove(numbers, 1)
    end),
    remove_at_end = function(_, _, endpoints)
      for _ = 1, 100 do
        table.insert(numbers, table.remove(numbers))
      end
      return endpoints[1]
    end,
    move = always(function()
      table.move(numbers, 1, 29999, 2)
    end),
    move_far = always(function()
      table.move(numbers, 1, 2 ^ 50, 1, {})
    end),
    concat_numbers = always(function()
      return table.concat(numbers)
    end),
    concat_range = function()
      return nil, table.concat({}, "x", 1, 2 ^ 31 - 1)
    end,
    unpack_many = always(function()
      return count(unpack(few))
    end),
    unpack_all = function()
      return count(unpack(numbers))
    end,
    unpack_huge = function()
      return count(unpack({}, 1, 1e9))
    end,
    unpack_backwards = function(_, _, endpoints)
      assert(count(unpack({}, 1, -5)) == 0)
      for _, odd in ipairs({ 2 ^ 40, -2 ^ 40, math.huge, -math.huge, 0 / 0 }) do
        pcall(unpack, {}, odd)
        pcall(unpack, {}, 1, odd)
        pcall(unpack, {}, odd, odd)
      end
      return endpoints[1]
    end,
    select_many = function()
      local function loop(...)
        while true do
          count(select(2, ...))
        end
      end
      loop(unpack(few))
    end,
    next_empty = always(function()
      return next(emptied)
    end),
    pairs_empty = always(function()
      for _ in pairs(emptied) do
        return
      end
    end),
    rehash = function()
      local i = 0
      while true do
        i = i + 1
        emptied["a" .. i], emptied["a" .. (i - 3000)] = true, nil
      end
    end,
    length = always(function()
      return #numbers + #emptied
    end),
    copy = always(function()
      return { unpack(few) }
    end),
    while_traversed = function(_, _, endpoints)
      local map = {}
      for i = 1, 100 do
        map[i .. ""] = i
      end
      pcall(function()
        for key in pairs(map) do
          map[key] = nil
          map[key .. "x"] = 1
        end
      end)
      return endpoints[1]
    end,
  },
})
