-- What no fetch may return or do.
-- kind: fallback
-- case nothing: fetch: without saying why
-- case number: fetch: not a number
-- case boolean: fetch: not a boolean
-- case table: fetch: not a table
-- case function_value: fetch: not a function
-- case ttl_text: fetch: no duration
-- case ttl_negative: fetch: no duration
-- case ttl_not_a_number: fetch: no duration
-- case ttl_table: fetch: no duration
-- case unknown_field: fetch: unknown field "tlt"
-- case numbered_field: fetch: unknown field
-- case options_text: fetch: where { ttl
-- case endless: fetch: budget of
-- case endless_caught: fetch: budget of
-- case endless_options: fetch: budget of
-- case endless_after_wait: fetch: budget of
-- case memory: fetch: memory cap | budget of
-- case recursion: fetch: deep | budget of
-- case error_table: fetch: no text
-- case yield: fetch: yielded by itself
-- case yield_caught: fetch: yielded by itself
-- case yield_values: fetch: yielded by itself
-- case wait_in_coroutine: fetch: may not wait here
-- case wait_in_gsub: fetch: may not wait here
-- case wait_in_sort: fetch: may not wait here
-- case wait_in_iterator: fetch: may not wait here
-- case http_nonsense: fetch: string expected
-- case file_outside: fetch: nothing
-- case json_too_long: fetch: nothing
-- case json_decodes: fetch: nothing | budget of
local clock = require("perigee.clock")
local file = require("perigee.file")
local hostile = require("hostile")
local http = require("perigee.http")
local json = require("perigee.json")

local function give(...)
  local values, count = { ... }, select("#", ...)
  return function()
    return unpack(values, 1, count)
  end
end

local function forever()
  while true do
  end
end

return hostile("fallback", "fetches", {
  fetch = {
    nothing = give(),
    number = give(5),
    boolean = give(true),
    table = give({}),
    function_value = give(print),
    ttl_text = give("x", { ttl = "soon" }),
    ttl_negative = give("x", { ttl = -1 }),
    ttl_not_a_number = give("x", { ttl = 0 / 0 }),
    ttl_table = give("x", { ttl = {} }),
    unknown_field = give("x", { tlt = 5 }),
    numbered_field = give("x", { 5 }),
    options_text = give("x", "60s"),
    endless = forever,
    endless_caught = function()
      while true do
        pcall(forever)
      end
    end,
    endless_options = function()
      return "x", setmetatable({}, { __index = forever })
    end,
    endless_after_wait = function()
      clock.sleep(1)
      pcall(forever)
      clock.sleep(1)
      return "x"
    end,
    memory = function()
      local list = {}
      while true do
        list[#list + 1] = ("x"):rep(10000) .. #list
      end
    end,
    recursion = function(self)
      local function deeper()
        return 1 + deeper()
      end
      return deeper(), self
    end,
    error_table = function()
      error({})
    end,
    yield = function()
      coroutine.yield()
    end,
    yield_caught = function()
      pcall(coroutine.yield)
      return "x"
    end,
    yield_values = function()
      coroutine.yield(1, {}, print, ("x"):rep(1000))
    end,
    wait_in_coroutine = function()
      coroutine.wrap(function()
        clock.sleep(1)
      end)()
    end,
    wait_in_gsub = function()
      local text = ("x"):gsub("x", function()
        clock.sleep(1)
      end)
      return text
    end,
    wait_in_sort = function()
      table.sort({ 2, 1 }, function()
        clock.sleep(1)
      end)
    end,
    wait_in_iterator = function()
      for _ in
        coroutine.wrap(function()
          clock.sleep(1)
        end)
      do
      end
    end,
    http_nonsense = function()
      local response = http.get({})
      return response
    end,
    file_outside = function()
      for _, path in ipairs({ "/etc/passwd", "../../etc/passwd", "/proc/self/mem", "", "\0", ("x"):rep(100000) }) do
        local ok, text = pcall(file.read, path)
        assert(not ok or text == nil)
      end
      return "x"
    end,
    json_too_long = function()
      local value, words = json.decode("[" .. ("1,"):rep(200000) .. "1]")
      assert(value == nil and words:find("ELIMIT", 1, true))
      return "x"
    end,
    json_decodes = function()
      local text = '["' .. ("x"):rep(100000) .. '"]'
      local refused
      for _ = 1, 200 do
        refused = refused or json.decode(text) == nil
      end
      assert(refused)
      return "x"
    end,
  },
})
