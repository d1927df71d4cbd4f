local s = require("spec.core.script.support")

describe("coroutines", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  local function gives(expected, text, steps)
    assert.same({ 0, expected }, { s.eval(vm, text, steps) })
  end

  it("work as they always do", function()
    gives("1 2 dead", [[
      local co = coroutine.create(function(a) local b = coroutine.yield(a) return b end)
      local _, a = coroutine.resume(co, 1)
      local _, b = coroutine.resume(co, 2)
      return a .. " " .. b .. " " .. coroutine.status(co) ]])
    gives("6", "local n = 0 for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do n = n + i end return n")
    for _, name in ipairs({ "create", "wrap" }) do
      local code, text = s.eval(vm, ("local ok, err = pcall(coroutine.%s, 5) return err"):format(name))
      assert.equal(0, code)
      assert.matches("bad argument #1 to '.*' %(function expected, got number%)", text)
    end
  end)

  it("may be as many as are let go, ended or not", function()
    gives("done", "for i = 1, 2e4 do coroutine.wrap(function() end)() end return 'done'")
    gives("done", "for i = 1, 2e4 do coroutine.create(print) end return 'done'", 1e8)
    gives("done", "for i = 1, 2e4 do coroutine.wrap(function() coroutine.yield() end)() end return 'done'", 1e8)
    gives("done", "for i = 1, 2e4 do pcall(coroutine.wrap(function() error('x') end)) end return 'done'", 1e8)
    gives("done", "kept = {} for i = 1, 2000 do kept[i] = coroutine.create(function() end) coroutine.resume(kept[i]) end return 'done'", 1e8)
  end)

  it("are limited while they can go on", function()
    for _, body in ipairs({
      "kept[i] = coroutine.create(function() end)",
      "kept[i] = coroutine.wrap(function() coroutine.yield() end) kept[i]()",
    }) do
      local code, text = s.eval(vm, "kept = {} for i = 1, 1000 do " .. body .. " end")
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find("the policy has 256 coroutines that have not ended; it may have 256", 1, true), text)
      gives("256", "return #kept")
      gives("true", "kept = nil return type(coroutine.create(function() end)) == 'thread'")
    end
  end)

  it("are limited inside each other, and over several runs", function()
    local code, text = s.eval(vm, "local function f(n) return coroutine.wrap(f)(n + 1) end f(1)")
    assert.equal(s.ESCRIPT, code)
    assert.is_true(text:find("that have not ended", 1, true) ~= nil or text:find("stack overflow", 1, true) ~= nil, text)

    gives("1", "kept = {} return 1")
    local failed
    for i = 1, 300 do
      code = s.eval(vm, "kept[#kept + 1] = coroutine.create(function() end)")
      failed = failed or (code ~= 0 and i)
    end
    assert.equal(257, failed)
  end)

  it("are as many as the configuration says", function()
    local config = require("spec.core.model.config_support").build("return { policies = { limits = { coroutines = 1 } } }")
    local out = s.ffi.new("struct peri_vm *[1]")
    assert.equal(0, s.C.peri_vm_new(s.ffi.new("struct peri_vm_options", { config = config }), out))
    vm = s.ffi.gc(out[0], s.C.peri_vm_free)
    gives("1", "kept = coroutine.wrap(function() return 1 end) return kept()")
    gives("1", "kept = coroutine.wrap(function() return 1 end) return kept()")
    gives("nil", "kept = coroutine.wrap(function() return 1 end) return nil")
    assert.equal(s.ESCRIPT, (s.eval(vm, "return coroutine.create(function() end)")))
  end)

  it("are ended by budgets and caps like all else", function()
    for _, body in ipairs({
      "while true do end",
      "coroutine.wrap(function() while true do end end)()",
      "while true do pcall(coroutine.wrap(function() while true do end end)) end",
      "while true do coroutine.yield() end",
      "local t = setmetatable({}, { __index = function() while true do end end }) return t.x",
    }) do
      local text = ("co = coroutine.create(function() %s end) while true do coroutine.resume(co) end"):format(body)
      assert.matches("instruction budget of 100000 is used up", select(2, s.eval(vm, text, 1e5)), body)
      assert.matches("time budget of 3000 us is used up", select(2, s.eval(vm, text, 1e15, 3)), body)
      gives("calm", "for i = 1, 1e4 do end return 'calm'")
    end
    local code = s.eval(vm, "local ok, err = coroutine.resume(coroutine.create(function() return ('x'):rep(1e7) end)) error(err, 0)", 1e9)
    assert.is_true(code == s.ESCRIPT or code == s.ENOMEM)
    gives("calm", "for i = 1, 1e4 do end return 'calm'")
  end)

  -- Counting them again and again must not be free.
  it("cost what looking for room costs", function()
    for _, limit in ipairs({ 256, 65536 }) do
      local config =
        require("spec.core.model.config_support").build(("return { policies = { limits = { coroutines = %d, memory = '128MiB' } } }"):format(limit))
      local out = s.ffi.new("struct peri_vm *[1]")
      assert.equal(0, s.C.peri_vm_new(s.ffi.new("struct peri_vm_options", { config = config }), out))
      vm = s.ffi.gc(out[0], s.C.peri_vm_free)
      gives("nil", ("kept = {} for i = 1, %d do kept[i] = coroutine.create(function() end) end return nil"):format(limit), 1e9)
      local code, text = s.eval(vm, "while true do pcall(coroutine.create, print) end", 5e5)
      assert.equal(s.ESCRIPT, code)
      assert.matches("instruction budget", text)
    end
  end)
end)
