local s = require("spec.core.script.support")
local C = s.C

describe("a VM", function()
  it("evaluates and forgets", function()
    local vm = s.vm()
    assert.same({ 0, "3" }, { s.eval(vm, "return 1 + 2") })
  end)

  it("is small when it is fresh", function()
    local vm = s.vm()
    assert.is_true(tonumber(C.peri_vm_bytes(vm)) <= 100 * 1024, tostring(C.peri_vm_bytes(vm)))
  end)

  it("is small with each policy that is shipped", function()
    local root = os.getenv("PERI_ROOT")
    local pipe = assert(io.popen(("cd %s/plugins && ls */*.lua"):format(root)))
    local names = pipe:read("*a")
    pipe:close()
    for name in names:gmatch("(%S+)%.lua") do
      local vm = s.vm(0, root .. "/lua", root .. "/plugins")
      local code, text = s.eval(vm, ("return type(require(%q))"):format((name:gsub("/", "."))), nil, nil, true)
      assert.same({ 0, "table" }, { code, text }, name)
      local bytes = tonumber(C.peri_vm_bytes(vm))
      assert.is_true(bytes <= 100 * 1024, name .. ": " .. bytes)
    end
  end)

  it("says file, line and traceback when it raises", function()
    local vm = s.vm()
    local code, text = s.eval(vm, "local function f()\n error('no way') end\nf()\nreturn 1")
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("^eval:2: no way\nstack traceback:\n"), text)
    assert.truthy(text:find("eval:3:", 1, true), text)
  end)

  it("says something for errors that are no text", function()
    local vm = s.vm()
    assert.truthy(select(2, s.eval(vm, "error({})")):find("an error value of type table", 1, true))
    assert.truthy(
      select(2, s.eval(vm, "error(setmetatable({}, { __tostring = function() return 'odd' end }))")):find("^eval:1: odd\n")
    )
    assert.truthy(select(2, s.eval(vm, "error()")):find("an error value of type nil", 1, true))
  end)

  it("stops at its memory cap and works again afterwards", function()
    local vm = s.vm(512 * 1024)
    local code, text = s.eval(vm, "local t = {} for i = 1, 1e6 do t[i] = 'x' .. i end", 1e9)
    assert.equal(s.ENOMEM, code)
    assert.truthy(text:find("memory cap of 512 KiB", 1, true))
    -- On a busy machine collecting is spread over several runs.
    for _ = 1, 100 do
      assert.same({ 0, "ok" }, { s.eval(vm, "return 'ok'") })
    end
    assert.is_true(tonumber(C.peri_vm_bytes(vm)) < 200 * 1024)
  end)

  it("lets a pcall see the cap but not pass it", function()
    local vm = s.vm(512 * 1024)
    local code, text =
      s.eval(vm, "local ok, err = pcall(string.rep, 'x', 1e6) return tostring(ok) .. ' ' .. tostring(err)", 1e9)
    assert.same({ 0, "false not enough memory" }, { code, text })
  end)

  it("does not run out of memory by garbage alone", function()
    local vm = s.vm(2 * 1024 * 1024)
    for _ = 1, 20 do
      local code, text = s.eval(vm, "local n = 0 for i = 1, 20 do n = n + #(tostring(i):rep(1e5)) end return n", 1e9)
      assert.same({ 0, "3100000" }, { code, text })
    end
  end)

  it("refuses to be so small that it cannot start", function()
    assert.is_true(C.script_shim_vm(8192, nil, nil) == nil)
  end)

  it("counts its bytes to zero and is freed", function()
    for _ = 1, 50 do
      local vm = C.script_shim_vm(0, nil, nil)
      C.peri_vm_free(vm)
    end
    C.peri_vm_free(nil)
  end)
end)
