-- Coroutines that never finish, in every number.
-- kind: balancer
-- alone
-- case left: pick: nothing
-- case thousands: pick: nothing | budget of | coroutines
-- case kept_forever: pick: coroutines | budget of | memory cap
-- case dead: pick: nothing
-- case iterators: pick: nothing | budget of
-- case passing_on: pick: budget of
-- case failing: pick: nothing | budget of
-- case deep_and_endless: pick: budget of
-- case wrapped_wrap: pick: coroutines | budget of | expected
-- case chain_of_pcalls: pick: budget of
-- case of_builtins: pick: nothing
local hostile = require("hostile")

local function endless()
  while true do
    coroutine.yield(1)
  end
end

local all = {}

-- Waits far below many pcalls, for the one to resume.
local function deep(n)
  if n > 0 then
    local ok = pcall(deep, n - 1)
    return ok
  end
  local next_one = coroutine.yield()
  coroutine.resume(all[next_one], next_one - 1)
  while true do
  end
end

local function build()
  for i = 1, 20 do
    all[i] = coroutine.create(deep)
    coroutine.resume(all[i], 500)
  end
end

return hostile("balancer", "coroutines", {
  update = { chain_of_pcalls = build },
  pick = {
    chain_of_pcalls = function()
      coroutine.resume(all[20], 19)
      while true do
      end
    end,
    left = function(self, _, endpoints)
      self.left = self.left or coroutine.wrap(endless)
      assert(self.left() == 1)
      return endpoints[1]
    end,
    thousands = function(_, _, endpoints)
      for _ = 1, 1000 do
        coroutine.resume(coroutine.create(endless))
      end
      return endpoints[1]
    end,
    kept_forever = function()
      for i = 1, 10000 do
        all[i] = coroutine.wrap(endless)
        all[i]()
      end
    end,
    dead = function(_, _, endpoints)
      local co = coroutine.create(error)
      coroutine.resume(co, "x")
      for _ = 1, 10 do
        assert(not coroutine.resume(co) and coroutine.status(co) == "dead")
      end
      return endpoints[1]
    end,
    iterators = function(_, _, endpoints)
      for _ = 1, 300 do
        for _ in coroutine.wrap(endless) do
          break
        end
      end
      return endpoints[1]
    end,
    passing_on = function()
      local a, b
      a = coroutine.wrap(function()
        while true do
          coroutine.yield(b())
        end
      end)
      b = coroutine.wrap(endless)
      while true do
        a()
      end
    end,
    failing = function(_, _, endpoints)
      for _ = 1, 100 do
        coroutine.resume(coroutine.create(error), {})
      end
      return endpoints[1]
    end,
    deep_and_endless = function()
      local function down(n)
        if n == 0 then
          while true do
          end
        end
        return coroutine.wrap(down)(n - 1)
      end
      down(50)
    end,
    wrapped_wrap = function()
      local wrap = coroutine.wrap
      while true do
        wrap = coroutine.wrap(wrap)
      end
    end,
    of_builtins = function(_, _, endpoints)
      for _, builtin in ipairs({ pcall, error, coroutine.yield, string.rep, table.sort, load, require, next, unpack, tostring }) do
        coroutine.resume(coroutine.create(builtin), builtin, builtin)
      end
      return endpoints[1]
    end,
  },
})
