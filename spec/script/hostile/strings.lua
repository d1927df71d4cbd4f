-- String builtins that run long: no hook fires inside them.
-- kind: balancer
-- case find_plain: pick: budget of
-- case find_plain_once: pick: nothing | budget of
-- case find_plain_same: pick: budget of
-- case find_backtracking: pick: budget of
-- case find_long_set: pick: budget of
-- case find_no_magic: pick: budget of
-- case match_lazy: pick: budget of
-- case match_balance: pick: budget of
-- case match_frontier: pick: budget of
-- case match_back: pick: budget of
-- case match_captures: pick: budget of
-- case match_deep: pick: too complex
-- case gmatch: pick: budget of
-- case gmatch_empty: pick: budget of
-- case gsub: pick: budget of
-- case gsub_growing: pick: budget of | memory cap
-- case gsub_template: pick: budget of | memory cap
-- case gsub_table: pick: budget of
-- case rep: pick: budget of | memory cap
-- case rep_nothing: pick: budget of
-- case rep_separator: pick: budget of
-- case upper: pick: budget of
-- case lower: pick: budget of
-- case reverse: pick: budget of
-- case sub: pick: budget of
-- case byte: pick: budget of
-- case byte_all: pick: too long
-- case char: pick: budget of
-- case format_widths: pick: invalid
-- case format_many: pick: budget of
-- case format_long: pick: budget of | memory cap
-- case format_quoted: pick: budget of | memory cap
-- case tonumber: pick: budget of
-- case tostring: pick: budget of
-- case to_number_by_adding: pick: budget of
-- case to_number_by_floor: pick: budget of
-- case to_number_in_for: pick: budget of
-- case compare: pick: budget of
-- case join_again: pick: budget of
-- case concat_same: pick: budget of | memory cap
-- case length: pick: budget of
-- case date: pick: at most 256 bytes
-- case dates: pick: budget of
local hostile = require("hostile")

local text = ("a"):rep(400000)
local needle = ("a"):rep(200000) .. "b"
local spaces = (" "):rep(400000) .. "1"
local twin = text .. "b"
local other = text .. "c"
local hundreds = {}
for i = 1, 200 do
  hundreds[i] = 1e308
end

-- Does it again and again, whatever it gives.
local function always(body)
  return function()
    while true do
      body()
    end
  end
end

return hostile("balancer", "strings", {
  pick = {
    find_plain = always(function()
      return text:find(needle, 1, true)
    end),
    find_plain_once = function(_, _, endpoints)
      text:find(needle, 1, true)
      return endpoints[1]
    end,
    find_plain_same = always(function()
      return text:find(("a"):rep(120) .. "b" .. ("a"):rep(120), 1, true)
    end),
    find_backtracking = function()
      return nil, tostring(text:find(("a*"):rep(60) .. "b"))
    end,
    find_long_set = always(function()
      return text:find("[" .. needle:gsub("a", "c", 1) .. "]x")
    end),
    find_no_magic = always(function()
      return ("a"):find(needle)
    end),
    match_lazy = always(function()
      return text:match(".-.-.-b")
    end),
    match_balance = always(function()
      return text:match("%bab")
    end),
    match_frontier = always(function()
      return text:match("%f[b]")
    end),
    match_back = always(function()
      return text:match("(a*)%1b")
    end),
    match_captures = always(function()
      return text:match(("("):rep(30) .. ".*" .. (")"):rep(30))
    end),
    match_deep = function()
      local found = text:match(("a?"):rep(1000) .. "b")
      return nil, found
    end,
    gmatch = always(function()
      for _ in text:gmatch("a*b") do
        return
      end
    end),
    gmatch_empty = always(function()
      for _ in text:gmatch("") do
      end
    end),
    gsub = always(function()
      return text:gsub("a", "b")
    end),
    gsub_growing = always(function()
      return text:gsub("a", text)
    end),
    gsub_template = always(function()
      return text:gsub(".*", ("%0"):rep(1000))
    end),
    gsub_table = always(function()
      return text:gsub("a", { a = "aa" })
    end),
    rep = always(function()
      return text:rep(1000)
    end),
    rep_nothing = always(function()
      return (""):rep(1e9)
    end),
    rep_separator = always(function()
      return (""):rep(1e8, "x")
    end),
    upper = always(function()
      return text:upper()
    end),
    lower = always(function()
      return text:lower()
    end),
    reverse = always(function()
      return text:reverse()
    end),
    sub = always(function()
      return text:sub(2)
    end),
    byte = always(function()
      return text:byte(1, 5000)
    end),
    byte_all = always(function()
      local byte = text:byte(1, -1)
      return byte
    end),
    char = always(function()
      return string.char(text:byte(1, 5000))
    end),
    format_widths = function()
      return nil, ("%99999d"):format(1)
    end,
    format_many = always(function()
      return ("%.99f"):rep(200):format(unpack(hundreds))
    end),
    format_long = always(function()
      return ("%s%s"):format(text, text)
    end),
    format_quoted = always(function()
      return ("%q"):format(("\0"):rep(500000))
    end),
    tonumber = always(function()
      return tonumber(spaces)
    end),
    tostring = always(function()
      return tostring(text)
    end),
    to_number_by_adding = always(function()
      return spaces + 1
    end),
    to_number_by_floor = always(function()
      return math.floor(spaces)
    end),
    to_number_in_for = always(function()
      for _ = spaces, 1 do
      end
    end),
    compare = always(function()
      return twin < other
    end),
    join_again = always(function()
      return text .. "b"
    end),
    concat_same = always(function()
      local list = {}
      for i = 1, 100 do
        list[i] = text
      end
      return table.concat(list)
    end),
    length = always(function()
      return #text
    end),
    date = function()
      return nil, os.date(("%c"):rep(100000))
    end,
    dates = always(function()
      return os.date(("%c"):rep(128))
    end),
  },
})
