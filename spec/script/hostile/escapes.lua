-- Ways out of the sandbox, and ways to change what others use. Each case sees to it that
-- there is none.
-- kind: balancer
-- case string_metatable: pick: nothing
-- case string_library: pick: nothing
-- case globals: pick: nothing
-- case bytecode: pick: nothing
-- case dumped: pick: nothing
-- case load_environment: pick: nothing
-- case function_environments: pick: nothing
-- case require_paths: pick: nothing
-- case require_late: pick: nothing
-- case require_engine: pick: nothing
-- case operating_system: pick: nothing
-- case builtins_replaced: pick: nothing
-- case table_replaced: pick: nothing
-- case globals_removed: pick: nothing
-- case globals_metatable: pick: nothing
-- case modules_changed: pick: nothing
-- case modules_metatables: pick: nothing
-- case handle_metatables: pick: nothing
-- case handle_methods: pick: nothing
-- case declaration_changed: pick: nothing
-- case policy_in_pick: pick: nothing
-- case upvalues: pick: nothing
-- case light_userdata: pick: nothing
-- case next_call: pick: nothing
local hostile = require("hostile")
local json = require("perigee.json")
local policy = require("perigee.policy")

local function fails(body, ...)
  local ok, words = pcall(body, ...)
  assert(not ok, "it worked")
  return words
end

local function none(...)
  for i = 1, select("#", ...) do
    local name = select(i, ...)
    assert(rawget(_G, name) == nil, name)
  end
end

local error = error
local function raise()
  error("replaced")
end

local cases = {
  string_metatable = function()
    assert(getmetatable("") == "string")
    fails(setmetatable, "", {})
    fails(rawset, getmetatable(""), "__index", raise)
  end,
  string_library = function(_, request)
    local upper = string.upper
    string.upper = raise
    fails(function()
      return ("x"):upper()
    end)
    assert(request:method() == "Place")
    assert(json.encode({ b = 1, a = "A" }) == '{"a":"A","b":1}')
    string.upper = upper
  end,
  globals = function()
    none("io", "ffi", "debug", "package", "jit", "newproxy", "collectgarbage", "getfenv", "setfenv")
    none("dofile", "loadfile", "module", "gcinfo", "arg", "_ENV")
    assert(not next(getmetatable(_G) or {}))
  end,
  bytecode = function()
    local chunk, words = load("\27LJ\2\2" .. ("\0"):rep(100))
    assert(chunk == nil and words:find("bytecode", 1, true), words)
    local pieces = { "\27L", "J\2" }
    chunk, words = load(function()
      return table.remove(pieces, 1)
    end)
    assert(chunk == nil and words:find("bytecode", 1, true), words)
    chunk = load("\27LJ", "=x", "b")
    assert(chunk == nil)
  end,
  dumped = function()
    assert(string.dump == nil and ("").dump == nil)
  end,
  load_environment = function()
    assert(load("return _G", "=x", "t", {})() == nil)
    assert(load("return require")() == require)
    assert(load("x_of_load = 1") and rawget(_G, "x_of_load") == nil)
  end,
  function_environments = function()
    none("getfenv", "setfenv")
    local own = load("return function() return secret end", "=x", "t", { secret = 1 })()
    assert(own() == 1 and rawget(_G, "secret") == nil)
  end,
  require_paths = function()
    local names = { "../x", "/etc/passwd", "a..b", "", ".", "a.", ".a", "a/b", "a\0b", "A", ("a"):rep(1000), "..", "hostile/../good" }
    for _, name in ipairs(names) do
      local words = fails(require, name)
      assert(words:find("module", 1, true), words)
    end
    fails(require)
    fails(require, {})
  end,
  require_late = function()
    assert(fails(require, "silent"):find("too late", 1, true))
    assert(require("perigee.json") == json and require("hostile") == hostile)
  end,
  require_engine = function()
    for _, name in ipairs({ "ffi", "jit", "jit.util", "io", "os", "debug", "package", "string", "string.buffer", "table.new", "bit", "perigee", "perigee.vm", "socket" }) do
      fails(require, name)
    end
  end,
  operating_system = function()
    local left = {}
    for name in pairs(os) do
      left[#left + 1] = name
    end
    table.sort(left)
    assert(table.concat(left, " ") == "clock date time", table.concat(left, " "))
    assert(type(os.date("*t")) == "table" and type(os.time({ year = 2e9, month = -1e9, day = 1e9 })) ~= "string")
  end,
  builtins_replaced = function(_, request, endpoints)
    local kept, next = {}, next
    for _, name in ipairs({ "pcall", "tostring", "type", "ipairs", "error", "select", "unpack", "setmetatable", "rawget" }) do
      kept[name] = _G[name]
    end
    for name in next, kept do
      _G[name] = raise
    end
    local text = json.encode({ 1, { x = "y" } })
    local address, method = endpoints[1]:address(), request:method()
    local seen = #endpoints:only({ endpoints[1] })
    for name, value in next, kept do
      _G[name] = value
    end
    assert(text == '[1,{"x":"y"}]' and address and method and seen == 1)
  end,
  table_replaced = function()
    local sort, all = table.sort, table
    table.sort = function(list)
      list[1] = nil
      list.n = {}
    end
    assert(json.encode({ b = 1, a = 2 }) == '{"a":2,"b":1}')
    table.sort = sort
    _G.table = nil
    local text = json.encode({ b = 1, a = 2 })
    _G.table = all
    assert(text == '{"a":2,"b":1}')
  end,
  globals_removed = function(_, _, endpoints)
    local kept = {}
    for name, value in pairs(_G) do
      kept[name] = value
    end
    for name in kept.pairs(kept) do
      kept._G[name] = nil
    end
    local address = endpoints[1]:address()
    kept.print(address)
    for name, value in kept.pairs(kept) do
      kept._G[name] = value
    end
    assert(address)
  end,
  globals_metatable = function(self, _, endpoints)
    if self.done then
      return
    end
    self.done = true
    setmetatable(_G, { __index = raise, __newindex = raise, __metatable = false })
    assert(endpoints[1]:zone() == "" or true)
    print(endpoints)
    local ok = pcall(function()
      return nothing_of_that_name
    end)
    assert(not ok)
  end,
  modules_changed = function()
    -- The policy "good" uses them all the time, in a VM of its own.
    json.encode = raise
    json.decode = nil
    policy.balancer = raise
    fails(json.encode, 1)
  end,
  modules_metatables = function()
    setmetatable(json, { __index = raise })
    setmetatable(policy, { __index = raise, __newindex = raise })
  end,
  handle_metatables = function(_, request, endpoints)
    for _, handle in ipairs({ request, endpoints, endpoints[1], endpoints:only({}) }) do
      local meta = getmetatable(handle)
      assert(type(meta) == "string", type(meta))
      fails(setmetatable, handle, {})
      fails(rawset, handle, "x", 1)
      fails(rawget, handle, "x")
      fails(next, handle)
      fails(function()
        handle.x = 1
      end)
    end
  end,
  handle_methods = function(_, request, endpoints)
    local address, method = endpoints[1].address, request.method
    for _, wrong in ipairs({ request, endpoints, 1, "x", {}, false, print, coroutine.create(print) }) do
      fails(address, wrong)
      fails(endpoints.draw, wrong ~= endpoints and wrong or 1)
    end
    fails(address)
    fails(method, endpoints)
    fails(endpoints.only, endpoints, { 1 })
    assert(#endpoints:only(setmetatable({}, { __index = raise, __len = raise })) == 0)
  end,
  declaration_changed = function(self)
    local declared = policy.balancer({ name = "x", pick = print })
    fails(setmetatable, declared, {})
    declared.pick, declared.schema, declared.selftest = 5, 6, 7
    self.options, self.pick = nil, nil
  end,
  policy_in_pick = function()
    assert(fails(policy.use, "balancer", "good"):find("loads", 1, true))
    fails(policy.picker, {})
    fails(policy.use, "nonsense", "good")
  end,
  upvalues = function(self)
    -- An iterator and a wrapped coroutine that were made in an earlier call.
    self.walk = self.walk or ("a b"):gmatch("%a")
    self.wrap = self.wrap or coroutine.wrap(function()
      while true do
        coroutine.yield(1)
      end
    end)
    self.walk()
    assert(self.wrap() == 1)
  end,
  light_userdata = function()
    assert(type(json.null) == "userdata" and getmetatable(json.null) == nil)
    fails(setmetatable, json.null, {})
    fails(function()
      return json.null.x
    end)
    fails(tostring(json.null).rep, json.null, 1)
  end,
  next_call = function(self)
    self.calls = (self.calls or 0) + 1
    assert(self.calls <= 2)
  end,
}

local pick = {}
for name, case in pairs(cases) do
  pick[name] = function(self, request, endpoints)
    case(self, request, endpoints)
    return endpoints[1]
  end
end

return hostile("balancer", "escapes", { pick = pick })
