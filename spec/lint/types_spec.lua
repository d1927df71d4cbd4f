--- Whether lua/perigee/_meta says of every name that C registers, and of no other.
local meta = require("spec.lint.meta")
local s = require("spec.core.script.support")
local tree = require("spec.lint.tree")

local C, ffi = s.cffi.load({ "script/types_shim.h" })

--- The handles of C, and the class that tells of each.
local handles = {
  ["perigee.peers"] = "perigee.Endpoints",
  ["perigee.endpoints"] = "perigee.Endpoints",
  ["perigee.endpoint"] = "perigee.BalancedEndpoint",
  ["perigee.call"] = "perigee.Call",
  ["perigee.request"] = "perigee.Request",
  ["perigee.ring"] = "perigee.Ring",
  ["perigee.records"] = "perigee.Records",
  ["perigee.metrics.counter"] = "perigee.Counter",
  ["perigee.metrics.gauge"] = "perigee.Gauge",
}

local function sorted(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return table.concat(list, " ")
end

--- The quoted words of the C initializer behind `pattern`.
local function words_of(path, pattern)
  local text = tree.read(path)
  local _, stop = text:find(pattern)
  local body = assert(stop and text:match("^%s*=?%s*(%b{})", stop + 1), path .. " has no " .. pattern)
  local words = {}
  for word in body:gmatch('"([%w_]+)"') do
    words[word] = true
  end
  return words
end

--- All that `pattern` captures in a C file.
local function captured(path, ...)
  local names, text = {}, tree.read(path)
  for _, pattern in ipairs({ ... }) do
    for name in text:gmatch(pattern) do
      names[name] = true
    end
  end
  return names
end

describe("the types for policies", function()
  local files, classes, vm = {}, {}, nil

  setup(function()
    for _, path in ipairs(tree.files("lua/perigee", ".lua")) do
      local file = meta.parse(tree.read(path))
      file.module = file.module ~= "" and file.module or nil
      if not path:find("/_meta/", 1, true) then
        file.module = path:match("^lua/(.*)%.lua$"):gsub("/", ".")
      end
      files[file.module or path] = file
      for _, class in ipairs(file.classes) do
        classes[class.name] = class
      end
    end
    vm = s.vm(nil, tree.root .. "/lua")
  end)
  teardown(s.clean)

  local function declared(class, except)
    local names = {}
    for name in pairs(meta.members(classes, class)) do
      names[name] = not name:find("%[") and name ~= except or nil
    end
    return names
  end

  --- "name:kind" of everything in the table that the Lua text gives.
  local function kinds_of(text)
    local code, out = s.eval(
      vm,
      ("local list = {} for k, v in pairs(%s) do list[#list + 1] = k .. ':' .. type(v) end table.sort(list) return table.concat(list, ' ')"):format(text),
      nil,
      nil,
      true
    )
    assert.equal(0, code, out)
    return out
  end

  it("tell of every module that C has, and of no other", function()
    local known = captured("core/script/lib.c", '{"(perigee%.[%w_]+)",%s*peri_lib_')
    for name in pairs(files) do
      if name:match("^perigee%.") then
        known[name] = known[name] or tree.exists("lua/" .. name:gsub("%.", "/") .. ".lua") or nil
      end
    end
    local told = {}
    for name in pairs(files) do
      told[name] = name:match("^perigee%.") and true or nil
    end
    assert.equal(sorted(known), sorted(told))
  end)

  it("tell of every name in a module", function()
    local count = 0
    for name, file in pairs(files) do
      if name:match("^perigee%.") then
        local told = {}
        for _, each in ipairs(file.functions) do
          told[each.name .. ":function"] = true
        end
        for _, each in ipairs(file.values) do
          told[each.name .. ":" .. each.type:gsub("lightuserdata", "userdata")] = true
        end
        assert.equal(kinds_of(("require(%q)"):format(name)), sorted(told), name)
        count = count + 1
      end
    end
    assert.is_true(count >= 12, count)
  end)

  it("tell of every handle and its methods", function()
    local out = ffi.new("char[16384]")
    assert.equal(0, C.types_shim_list(vm, out, 16384))
    local types = {}
    for type, name in ffi.string(out):gmatch("(%S+) (%S+)\n") do
      types[type] = types[type] or {}
      types[type][name] = true
    end
    for type, methods in pairs(types) do
      local class = assert(handles[type], type .. " is a handle without a class")
      local operator = methods.__len and "len" or nil
      methods.__len, methods.__index, methods.__tostring = nil, nil, nil
      assert.equal(sorted(declared(class)), sorted(methods), type)
      assert.equal(operator, classes[class].operator, type)
    end
    for type in pairs(handles) do
      assert.is_table(types[type], type)
    end
  end)

  it("tell of what a picker's handles answer, and of nothing else", function()
    local function names(class)
      local list = {}
      for name in pairs(declared(class)) do
        list[#list + 1] = ("%q"):format(name)
      end
      return table.concat(list, ", ")
    end
    local script = s.script({
      ["picker/p.lua"] = ([[
        local function answered(handle, names)
          local list = {}
          for _, name in ipairs(names) do
            list[#list + 1] = pcall(handle[name], handle, {}) and name or nil
          end
          table.sort(list)
          return table.concat(list, " ")
        end
        return require("perigee.policy").picker({
          name = "p",
          pick = function(_, _, peers)
            error(answered(peers, { %s }) .. "/" .. answered(peers[1], { %s }), 0)
          end,
        })]]):format(names("perigee.Endpoints"), names("perigee.BalancedEndpoint")),
    })
    local picker = assert(script:picker("p"))
    assert.equal(0, s.C.script_shim_update(picker, s.peers({ "10.0.0.1:1", "10.0.0.2:2" })))
    assert.equal(s.ESCRIPT, (script:pick(picker, "k")))
    local _, text = script:notices()
    script:close()
    local peers, endpoint = text:match("picker p: ([^/\n]*)/([^\n]*)")
    assert.equal(sorted(declared("perigee.Peers")), peers)
    assert.equal(sorted(declared("perigee.Endpoint", "metadata")), endpoint)
  end)

  it("tell of every builtin", function()
    local libraries = { _G = "perigee.Globals" }
    for name, field in pairs(meta.members(classes, "perigee.Globals")) do
      libraries[name] = classes[field.type] and field.type or libraries[name]
    end
    for library, class in pairs(libraries) do
      local told = {}
      for name, field in pairs(meta.members(classes, class)) do
        local kind = classes[field.type] and "table" or field.type:match("^fun%(") and "function" or field.type
        told[name .. ":" .. kind] = true
      end
      assert.equal(kinds_of(library), sorted(told), library)
    end
    assert.equal("_G bit coroutine math os string table", sorted(libraries))
  end)

  it("tell of every field of a declaration", function()
    local text = tree.read("core/script/policy.c")
    for _, kind in ipairs({ "Picker", "Fallback", "Balancer" }) do
      local body = assert(text:match(('{"%s",%%s*"perigee.policy.%s",%%s*(%%b{})'):format(kind:lower(), kind:lower())))
      local keys = {}
      for key in body:gmatch('"([%w_]+)"') do
        keys[key] = true
      end
      assert.equal(sorted(keys), sorted(declared("perigee." .. kind)), kind)
    end
  end)

  it("tell of every key of an option, and of every type", function()
    assert.equal(sorted(words_of("core/script/schema.c", "entry_keys%[%]")), sorted(declared("perigee.Option")))
    local told = {}
    for _, alias in ipairs(files["perigee.policy"].aliases) do
      if alias.name == "perigee.OptionType" then
        for word in alias.type:gmatch('"(%w+)"') do
          told[word] = true
        end
      end
    end
    assert.equal(sorted(words_of("core/script/schema.c", "type_names%[TYPES%]")), sorted(told))
  end)

  it("tell of everything that is read from tables and written into them", function()
    assert.equal(sorted(words_of("core/script/lib_http.c", "known%[%]")), sorted(declared("perigee.HttpRequest")))
    assert.equal(sorted(declared("perigee.HttpOptions")), sorted(declared("perigee.HttpRequest")):gsub("body ", ""):gsub("method ", ""):gsub(" url", ""))
    assert.equal(sorted(captured("core/script/lib_http.c", 'lua_setfield%(L, %-2, "(%w+)"%)')), sorted(declared("perigee.HttpResponse")))
    assert.equal(sorted(captured("core/script/lib_file.c", 'lua_getfield%(L, %w+, "([%w_]+)"%)')), sorted(declared("perigee.FileOptions")))
    assert.equal(sorted(captured("core/script/answer.c", 'read_ttl%(L, index, "([%w_]+)"%)')), sorted(declared("perigee.Answer")))
    assert.equal(sorted(captured("core/script/balancer.c", 'lua_setfield%(L, %-2, "([%w_]+)"%)')), sorted(declared("perigee.Outcome")))
    assert.equal(sorted(words_of("core/model/config_policies.c", "static const char %*const keys%[%]")), sorted(declared("perigee.Limits")))
  end)

  it("tell of every limit what it is by default", function()
    local count, limits = 0, meta.members(classes, "perigee.Limits")
    local body = tree.read("core/model/config_policies.c"):match("%(struct peri_config_policies%)(%b{})")
    for field, value in body:gmatch("%.([%w_]+) = ([^,}]+)") do
      local name, unit = field:gsub("_%l%l$", ""):gsub("_bytes$", ""), field:match("_(%l%ls?)$")
      local shown = unit == "ns" and tonumber(value) / 1e6 .. "ms" or unit == "ms" and tonumber(value) / 1e3 .. "s" or value
      shown = shown:gsub("^(%d+) << 20$", "%1MiB")
      assert.truthy(limits[name].doc:find(shown, 1, true), ("%s is %s by default: %s"):format(name, shown, limits[name].doc))
      count = count + 1
    end
    assert.equal(12, count)
  end)

  it("tell of every reason to ask a fallback", function()
    local causes = captured("core/cache/load.c", 'return "(%w+)"', '"(%w+)" : "%w+";', '%w+ %? "%w+" : "(%w+)"', 'return %w+ %? "(%w+)"', 'ask_fallback%(load, "(%w+)"%)')
    local told = {}
    for _, alias in ipairs(files["perigee.policy"].aliases) do
      for word in (alias.name == "perigee.Cause" and alias.type or ""):gmatch('"(%w+)"') do
        told[word] = true
      end
    end
    assert.equal(sorted(causes), sorted(told))
  end)

  it("tell of what a selftest is given", function()
    local fields = captured("core/script/selftest.c", "_field%(L, [%w_%(%)]+, \"([%w_]+)\"")
    fields.selftest = nil
    local told = declared("perigee.TryEndpoint")
    for _, class in ipairs({ "perigee.TryCall", "perigee.TryFetch" }) do
      for name in pairs(declared(class)) do
        told[name] = true
      end
    end
    assert.equal(sorted(fields), sorted(told))
    assert.equal(sorted(captured("core/script/selftest.c", '{"(%w+)", try_%w+}')), sorted(declared("perigee.Try")))
  end)

  it("tell of what policy.use() gives", function()
    local script = s.script({
      ["fallback/used.lua"] = [[
        return require("perigee.policy").fallback({
          name = "used", fetch = function() end, export = function() end, import = function() end,
        })]],
      ["fallback/user.lua"] = [[
        local policy = require("perigee.policy")
        return policy.fallback({
          name = "user",
          new = function() return { used = policy.use("fallback", "used") } end,
          fetch = function(self)
            local names = {}
            for name in pairs(self.used) do names[#names + 1] = name end
            table.sort(names)
            return table.concat(names, " ")
          end,
        })]],
    })
    local got = script:fetch(assert(script:fallback("user")))
    assert.equal(sorted(declared("perigee.Used", "pick")), got.value)
    script:close()
  end)

  it("name only classes that there are", function()
    local aliases = {}
    for _, file in pairs(files) do
      for _, alias in ipairs(file.aliases) do
        aliases[alias.name] = true
      end
    end
    for _, path in ipairs(tree.files("lua/perigee plugins examples", ".lua")) do
      for number, line in tree.lines(tree.read(path)) do
        for name in line:match("^%s*%-%-%-@") and line:gmatch("perigee%.%u%w+") or function() end do
          assert.is_truthy(classes[name] or aliases[name], ("%s:%d: %s"):format(path, number, name))
        end
      end
    end
  end)
end)
