local s = require("spec.core.script.support")
local C = s.C
local patience = tonumber(os.getenv("PERI_PATIENCE") or "1") -- sanitizers are slow

describe("a budget", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  it("ends a loop by instructions", function()
    local code, text = s.eval(vm, "while true do end", 100000)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("^eval:1: the instruction budget of 100000 is used up"), text)
  end)

  it("ends a loop by time", function()
    local code, text = s.eval(vm, "while true do end", 1e15, 3)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("the time budget of 3000 us is used up", 1, true), text)
  end)

  it("cannot be swallowed by pcall", function()
    for _, body in ipairs({
      "while true do pcall(function() while true do end end) end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "local function f() pcall(f) while true do end end f()",
      "while true do local co = coroutine.wrap(function() while true do end end) pcall(co) end",
      "local t = setmetatable({}, { __index = function() while true do end end }) while true do pcall(rawget, t, 1) pcall(function() return t.x end) end",
    }) do
      assert.is_true(tonumber(C.script_shim_eval_ns(vm, body, 1e15, 2e6)) < 200e6 * patience, body)
      assert.equal(s.ESCRIPT, (s.eval(vm, body, 1e5)))
      assert.same({ 0, "calm" }, { s.eval(vm, "for i = 1, 1e4 do end return 'calm'") })
    end
  end)

  it("begins anew with every run", function()
    for _ = 1, 100 do
      assert.equal(0, (s.eval(vm, "for i = 1, 20000 do end", 100000)))
    end
  end)

  -- Each would run for seconds or longer if the builtin did not count.
  local long = {
    backtracking = "return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))",
    ["nested stars"] = "return ('a'):rep(1e5):find('.-.-.-.-b')",
    ["a plain search"] = "local s = ('a'):rep(1e6) while true do s:find('b', 1, true) end",
    ["a sort"] = "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end",
    ["repetition"] = "while true do local x = ('x'):rep(3e6) end",
    ["repetition of nothing"] = "while true do local x = (''):rep(1e15) end",
    ["concatenation"] = "local s = ('x'):rep(1e6) while true do local x = s .. 'y' end",
    ["table.concat"] = "local t = {} for i = 1, 1e4 do t[i] = '' end while true do table.concat(t) end",
    ["insertion in front"] = "local t = {} while true do table.insert(t, 1, 1) end",
    ["removal in front"] = "local t = {} for i = 1, 5e4 do t[i] = i end while true do table.insert(t, (table.remove(t, 1))) end",
    ["changing case"] = "local s = ('x'):rep(2e6) while true do s:lower() end",
    ["reversing"] = "local s = ('x'):rep(2e6) while true do s:reverse() end",
    ["taking parts"] = "local s = ('x'):rep(2e6) while true do s:sub(1, -2) end",
    ["reading numbers"] = "local s = (' '):rep(2e6) while true do tonumber(s) end",
    ["formatting"] = "local s = ('x'):rep(2e6) while true do (('%s')):format(s) end",
    ["substitution"] = "local s = ('x'):rep(1e5) while true do s:gsub('x', 'yy') end",
    ["balance"] = "local s = ('('):rep(1e5) for i = 1, 1e5 do s:find('%b()', i) s:match('^%b()') s:gsub('%b()', '') end",
    ["loading"] = "local s = ('x = 1 '):rep(1e4) while true do load(s) end",
    ["dates"] = "local s = ('%c'):rep(128) while true do os.date(s) end",
  }
  for name, body in pairs(long) do
    it("ends " .. name, function()
      local took = tonumber(C.script_shim_eval_ns(vm, body, 3e6, 5e6))
      assert.is_true(took < 300e6, took / 1e6 .. " ms")
      local code, text = s.eval(vm, body, 3e6, 5)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("budget of", 1, true), text)
    end)
  end

  it("is what the configuration says", function()
    local slowdown = tonumber(C.peri_vm_budget(vm, C.PERI_ENTRY_PICK).time_ns) / 1e6
    local function allowed(of, entry)
      local budget = C.peri_vm_budget(of, C["PERI_ENTRY_" .. entry])
      return { tonumber(budget.steps), tonumber(budget.time_ns) / slowdown }
    end
    assert.same({ 500000, 1e6 }, allowed(vm, "PICK"))
    assert.same({ 5000000, 5e6 }, allowed(vm, "UPDATE"))
    assert.same({ 5000000, 5e6 }, allowed(vm, "FETCH"))
    assert.same({ 20000000, 20e6 }, allowed(vm, "LOAD"))

    local config = require("spec.core.model.config_support").build(
      "return { policies = { limits = { instructions = 2000, pick = '2ms', update = '3ms', fetch = '4ms', load = '5ms', memory = '256KiB' } } }"
    )
    local out = s.ffi.new("struct peri_vm *[1]")
    assert.equal(0, C.peri_vm_new(s.ffi.new("struct peri_vm_options", { config = config }), out))
    local made = s.ffi.gc(out[0], C.peri_vm_free)
    assert.same({ 2000, 2e6 }, allowed(made, "PICK"))
    assert.same({ 20000, 3e6 }, allowed(made, "UPDATE"))
    assert.same({ 20000, 4e6 }, allowed(made, "FETCH"))
    assert.same({ 80000, 5e6 }, allowed(made, "LOAD"))
    assert.equal(s.ENOMEM, (s.eval(made, "return ('x'):rep(3e5)")))
  end)

  -- The larger the cap, the longer one builtin could take: its steps end it before.
  for name, text in pairs({
    concatenation = "return #(big .. 'x')",
    repetition = "return #('x'):rep(#big)",
    upper = "return #big:upper()",
    reverse = "return #big:reverse()",
    quoting = "return #('%q'):format(big)",
    formatting = "return #('%s%s'):format(big, big)",
    joining = "return #table.concat({ big, big })",
    md5 = "return require('perigee.hash').md5_hex(big)",
    escaping = "return #require('perigee.http').escape(big)",
  }) do
    it("refuses " .. name .. " of what is too long, whatever the cap", function()
      vm = s.vm(2 ^ 28)
      assert.equal(0, (s.eval(vm, "big = ('x'):rep(30000000)", 1e9, 10000)))
      local code, words = s.eval(vm, text, 5e6, 10000)
      assert.equal(s.ESCRIPT, code)
      assert.matches("the instruction budget of 5000000 is used up", words)
      assert.equal(0, (s.eval(vm, text, 1e9, 10000)))
    end)
  end
end)
