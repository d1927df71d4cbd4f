-- Arguments that nobody gives: no numbers, numbers beyond all places, negative ones, lists
-- that lie about their length, patterns and formats that mean nothing.
-- kind: balancer
-- case insert_far_back: pick: out of bounds
-- case insert_into_many: pick: out of bounds
-- case insert_odd: pick: nothing
-- case remove_odd: pick: nothing
-- case concat_odd: pick: nothing | budget of
-- case select_odd: pick: nothing
-- case length_lied: pick: invalid value
-- case only_lied: pick: none of these endpoints
-- case only_many: pick: budget of | memory cap
-- case sort_lied: pick: attempt to compare | invalid order
-- case weak_tables: pick: nothing | budget of | memory cap
-- case numbers_odd: pick: nothing | budget of
-- case rep_odd: pick: nothing | budget of
-- case places_odd: pick: nothing | budget of
-- case format_odd: pick: nothing | budget of
-- case dates_odd: pick: nothing | budget of
-- case date_every: pick: nothing | budget of
-- case bits_odd: pick: nothing | budget of
-- case math_odd: pick: nothing | budget of
-- case tonumber_odd: pick: nothing | budget of
-- case tonumber_digits: pick: budget of
-- case goto_loop: pick: budget of
-- case source_deep: pick: nothing | budget of
-- case source_long: pick: budget of | memory cap
-- case source_names: pick: nothing | budget of
-- case chunk_name: pick: nothing | budget of
-- case wraps_of_wraps: pick: budget of | C stack overflow | too deep | coroutines
-- case generators: pick: budget of | coroutines
-- case handlers: pick: nothing | budget of
-- case handler_errors: pick: error handler | handler
-- case gauge_overflow: pick: nothing | budget of
-- case counter_overflow: pick: nothing | budget of
-- case hash_odd: pick: nothing | budget of
-- case random_odd: pick: nothing | budget of
-- case endpoints_odd: pick: nothing | budget of
-- case header_odd: pick: nothing | budget of
-- case sleeps_odd: pick: nothing | budget of
-- case json_lied: pick: budget of | memory cap
-- case json_numbers: pick: nothing | budget of
-- case json_keys: pick: budget of | memory cap
-- case escapes: pick: budget of
-- case hashes: pick: budget of
-- case mt_chain_concat: pick: budget of
-- case unpack_lied: pick: nothing
-- case tostring_replaced: pick: nothing
-- case yields_through: pick: nothing | budget of
-- case values_lied: new: must be one of
-- case only_many_times: update: budget of | memory cap
-- case json_again: update: budget of | memory cap
-- case json_at_length: new: memory cap | budget of
local clock = require("perigee.clock")
local hash = require("perigee.hash")
local hostile = require("hostile")
local http = require("perigee.http")
local json = require("perigee.json")
local log = require("perigee.log")
local metrics = require("perigee.metrics")
local policy = require("perigee.policy")
local random = require("perigee.random")

local function always(body)
  return function(...)
    while true do
      body(...)
    end
  end
end

local function first(body)
  return function(self, request, endpoints)
    body(self, request, endpoints)
    return endpoints[1]
  end
end

local odd = { 0, -1, 0 / 0, math.huge, -math.huge, 2 ^ 31, -2 ^ 31, 2 ^ 31 - 1, 2 ^ 32, 2 ^ 32 + 1, 2 ^ 53, -2 ^ 53, 2 ^ 63, -2 ^ 63, 2 ^ 64, 1e308, 0.5, "5", "0x10", "", "x", {}, print, true }

-- A list that says it has 2^29 elements.
local liar = {}
for i = 0, 29 do
  liar[2 ^ i] = "x"
end
local many = {}
for i = 1, 30000 do
  many[i] = i
end
local text = ("a"):rep(400000)
local digits = ("9"):rep(400000)
local gauge, counter = metrics.gauge("odd"), metrics.counter("odd")

local function each(call, ...)
  for _, value in ipairs(odd) do
    pcall(call, ..., value)
    pcall(call, value)
    pcall(call, value, value)
    pcall(call, value, value, value)
    pcall(call, value, ...)
  end
end

return hostile("balancer", "arguments", {
  pick = {
    insert_far_back = function()
      table.insert({}, -2 ^ 31, 1)
    end,
    insert_into_many = function()
      table.insert(many, -2 ^ 31 + 5, 1)
    end,
    insert_odd = first(function()
      for _, at in ipairs({ 0 / 0, 2 ^ 40, math.huge, 2 ^ 31, "5", "x" }) do
        pcall(table.insert, { 1, 2 }, at, 1)
      end
    end),
    remove_odd = first(function()
      for _, at in ipairs(odd) do
        pcall(table.remove, { 1, 2, 3 }, at)
      end
    end),
    concat_odd = first(function()
      for _, at in ipairs(odd) do
        pcall(table.concat, { 1, 2, 3 }, "x", at)
        pcall(table.concat, { 1, 2, 3 }, "x", at, at)
        pcall(table.concat, { 1, 2, 3 }, "x", 1, at)
        pcall(table.concat, { 1, 2, 3 }, at)
      end
    end),
    select_odd = first(function()
      for _, at in ipairs(odd) do
        pcall(select, at, 1, 2, 3)
      end
    end),
    length_lied = always(function()
      return table.concat(liar, text) .. "x"
    end),
    only_lied = function(_, _, endpoints)
      endpoints:only(liar)
    end,
    only_many = always(function(_, _, endpoints)
      local list = {}
      for i = 1, 60000 do
        list[i] = endpoints[1 + i % 3]
      end
      endpoints:only(list)
    end),
    sort_lied = always(function()
      table.sort(liar)
    end),
    weak_tables = function(_, _, endpoints)
      for _ = 1, 500 do
        local weak = setmetatable({}, { __mode = "kv" })
        for i = 1, 20 do
          weak[{}] = {}
          weak[i] = {}
        end
      end
      return endpoints[1]
    end,
    numbers_odd = first(function()
      for _, value in ipairs(odd) do
        pcall(function()
          for _ = value, value, value do
            break
          end
        end)
        pcall(function()
          return value % 0, 0 % value, value ^ value, -value
        end)
        pcall(rawset, {}, value, 1)
        pcall(next, {}, value)
        pcall(ipairs({}), {}, value)
        pcall(string.char, value)
        pcall(error, "x", value)
      end
    end),
    rep_odd = first(function()
      for _, value in ipairs(odd) do
        if not (tonumber(value) and tonumber(value) > 100) then
          pcall(string.rep, "x", value)
          pcall(string.rep, "x", value, value)
        end
      end
    end),
    places_odd = first(function()
      for _, value in ipairs(odd) do
        for _, other in ipairs(odd) do
          pcall(string.sub, "text", value, other)
          pcall(string.byte, "text", value, other)
        end
        pcall(string.find, "text", "t", value)
        pcall(string.find, "text", "t", value, true)
        pcall(string.match, "text", "t", value)
        pcall(string.gsub, "text", "t", "%9", value)
        pcall(string.gsub, "text", "t", "x", value)
        pcall(string.gmatch, "text", value)
      end
    end),
    format_odd = first(function()
      for _, format in ipairs({ "%", "%y", "%5", "%.", "%10.10", "%%%", "%-+ #0d", "%99.99f", "%.99g", "%.99e", "%a", "%.99a", "%q", "%s", "%c", "%p", "%i", "%u", "%x", "%o", "%5s", "%.3s", "%099d", "%100d", "%.100f", "%1$d", "%*d", "%ld" }) do
        for _, value in ipairs(odd) do
          pcall(string.format, format, value)
        end
        pcall(string.format, format)
      end
    end),
    dates_odd = first(function()
      for _, value in ipairs(odd) do
        pcall(os.date, "%c", value)
        pcall(os.date, "*t", value)
        pcall(os.date, "!*t", value)
        pcall(os.date, value)
        pcall(os.time, { year = value, month = value, day = value, hour = value, min = value, sec = value, isdst = value })
        pcall(os.time, value)
      end
    end),
    date_every = first(function()
      for byte = 0, 255 do
        pcall(os.date, "%" .. string.char(byte))
        pcall(os.date, "%E" .. string.char(byte))
        pcall(os.date, "%O" .. string.char(byte))
        pcall(os.date, "%9999" .. string.char(byte))
      end
      pcall(os.date, "%999999999Y")
    end),
    bits_odd = first(function()
      for name, call in pairs(bit) do
        each(call, 1)
        each(call, 1, 2)
        assert(name)
      end
    end),
    math_odd = first(function()
      for _, name in ipairs({ "random", "ldexp", "fmod", "floor", "pow", "frexp", "modf", "sin", "tan", "log", "min", "max", "exp", "atan2" }) do
        each(math[name], 1)
      end
    end),
    tonumber_odd = first(function()
      for _, base in ipairs(odd) do
        pcall(tonumber, "zz", base)
        pcall(tonumber, base, 36)
        pcall(tonumber, base)
      end
      pcall(tonumber, "1e999999999")
      pcall(tonumber, "0x1p-99999999")
    end),
    tonumber_digits = always(function()
      return tonumber(digits) and tonumber(digits, 10)
    end),
    goto_loop = function()
      ::again::
      do
        goto again
      end
    end,
    source_deep = first(function()
      for _, open in ipairs({ "(", "{", "[", "a(", "a[", "function() ", "if a then ", "do ", "not ", "- ", "a..", "a^", "while a do ", "for i=1,1 do ", "repeat " }) do
        local chunk, words = load("return " .. open:rep(2000))
        assert(chunk == nil and words)
        load(open:rep(2000))
      end
    end),
    source_long = always(function()
      return load("return " .. ("1+"):rep(100000) .. "1")
    end),
    source_names = first(function()
      local names = {}
      for i = 1, 250 do
        names[i] = "local v" .. i .. " = 1"
      end
      local chunk, words = load(table.concat(names, "\n"))
      assert(chunk == nil and words:find("local", 1, true), words)
    end),
    chunk_name = first(function()
      assert(load("x = ", text) == nil)
      assert(load("x = ", "@" .. text) == nil)
      assert(load("x = ", "") == nil)
      assert(load("x = ", "=\n\27[31m") == nil)
    end),
    wraps_of_wraps = function()
      local function nest(n)
        return coroutine.wrap(function()
          if n > 0 then
            return nest(n - 1)()
          end
          while true do
          end
        end)
      end
      nest(220)()
    end,
    generators = function()
      local source = coroutine.wrap(function()
        local i = 0
        while true do
          i = i + 1
          coroutine.yield(i)
        end
      end)
      for _ = 1, 150 do
        local inner = source
        source = coroutine.wrap(function()
          while true do
            coroutine.yield(inner())
          end
        end)
      end
      while true do
        source()
      end
    end,
    handlers = first(function()
      for _, handler in ipairs(odd) do
        pcall(xpcall, error, handler, "x")
        pcall(xpcall, handler, error)
      end
      pcall(xpcall)
      pcall(pcall)
      pcall(error)
    end),
    handler_errors = function()
      xpcall(error, function()
        xpcall(error, function()
          error("error in error handler")
        end)
      end)
    end,
    gauge_overflow = first(function()
      for _ = 1, 1100 do
        pcall(gauge.add, gauge, 2 ^ 53)
      end
      for _ = 1, 2200 do
        pcall(gauge.add, gauge, -2 ^ 53)
      end
      gauge:set(-2 ^ 53)
      gauge:set(2 ^ 53)
      gauge:set(0)
    end),
    counter_overflow = first(function()
      for _ = 1, 1100 do
        pcall(counter.add, counter, 2 ^ 53)
      end
      each(counter.add, counter)
      each(gauge.add, gauge)
      each(gauge.set, gauge)
      gauge:set(0)
    end),
    hash_odd = first(function()
      for _, call in pairs(hash) do
        each(call, "x")
      end
    end),
    random_odd = first(function()
      each(random.integer, 1)
      each(random.number)
      assert(random.integer(-2 ^ 53, 2 ^ 53))
    end),
    endpoints_odd = first(function(_, _, endpoints)
      for _, value in ipairs(odd) do
        assert(endpoints[value] == nil or value == 1)
        pcall(endpoints.only, endpoints, value)
        pcall(endpoints.only, endpoints, { value })
        pcall(endpoints[1].metadata, endpoints[1], value)
      end
    end),
    header_odd = first(function(_, request)
      each(request.header, request)
      each(request.field, request)
      pcall(request.header, request, text)
      pcall(request.field, request, ("1."):rep(100000))
    end),
    sleeps_odd = first(function()
      for _, value in ipairs(odd) do
        assert(not pcall(clock.sleep, value))
        assert(not pcall(http.get, "http://127.0.0.1:1/", { timeout = value, max_bytes = value, max_redirects = value, connect_timeout = value }))
      end
    end),
    json_lied = always(function()
      return json.encode(json.array(liar))
    end),
    json_numbers = first(function()
      for _, document in ipairs({ "1e999", "-1e999", ("9"):rep(1000), "1" .. ("0"):rep(400), "0." .. ("1"):rep(10000), "1e-99999999", "-0", "[1,]", "{\"a\":1,\"a\":2}", '"\\ud800"', '"\\u0000"', "nul", "\239\187\191{}", ("[{\"a\":"):rep(500) .. "1" .. ("}]"):rep(500) }) do
        json.decode(document)
      end
      for _, value in ipairs(odd) do
        pcall(json.encode, value)
        pcall(json.encode, { [value == value and value or 1] = 1 })
        pcall(json.decode, value)
        pcall(json.array, value)
      end
    end),
    json_keys = always(function()
      local map = {}
      for i = 1, 2000 do
        map[("k"):rep(100) .. i] = i
      end
      return json.encode(map)
    end),
    escapes = always(function()
      return http.escape(text)
    end),
    hashes = always(function()
      return hash.crc32(text), hash.fnv1_64(text), hash.fnv1a32(text), hash.xxh3(text), hash.bucket(text, 5)
    end),
    mt_chain_concat = function()
      local object = setmetatable({}, {
        __concat = function(a)
          return a
        end,
      })
      while true do
        object = object .. "x" .. text .. 5
      end
    end,
    unpack_lied = first(function()
      pcall(unpack, liar)
      pcall(unpack, liar, 2 ^ 29 - 5)
      pcall(unpack, liar, 2 ^ 31 - 5, 2 ^ 31 - 1)
      pcall(unpack, liar, -2 ^ 31, 2 ^ 31 - 1)
      pcall(select, "#", unpack(liar, 2 ^ 31 - 3, 2 ^ 31 - 1))
    end),
    tostring_replaced = first(function()
      local kept = tostring
      for _, value in ipairs(odd) do
        _G.tostring = value
        pcall(print, "x")
        pcall(log.error, "x")
      end
      _G.tostring = nil
      pcall(log.error, "x")
      _G.tostring = kept
    end),
    yields_through = first(function()
      for _, through in ipairs({ pcall, string.gsub, table.sort, load, tostring, string.format, table.concat, setmetatable }) do
        local co = coroutine.wrap(function()
          return pcall(through, coroutine.yield, coroutine.yield, coroutine.yield)
        end)
        pcall(co)
        pcall(co)
      end
    end),
  },
  update = {
    only_many_times = function(self, endpoints)
      local one, two, three = endpoints[1], endpoints[2], endpoints[3]
      self.list = {}
      for i = 1, 150000, 3 do
        self.list[i], self.list[i + 1], self.list[i + 2] = three, one, two
      end
      while true do
        endpoints:only(self.list)
      end
    end,
    json_again = always(function()
      local list = {}
      for i = 1, 1000 do
        list[i] = text
      end
      return json.encode(list)
    end),
  },
  new = {
    values_lied = function()
      policy.balancer({ name = "x", pick = print, schema = { a = { type = "string", values = liar, default = "y" } } })
    end,
    json_at_length = function()
      local list = {}
      for i = 1, 100000 do
        list[i] = text
      end
      local encoded = json.encode(list)
      return encoded
    end,
  },
})
