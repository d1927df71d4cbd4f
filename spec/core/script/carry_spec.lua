local s = require("spec.core.script.support")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "script/vm.h", "script/carry_shim.h" })

describe("carrying data from VM to VM", function()
  local from, to

  before_each(function()
    from, to = s.vm(), s.vm()
  end)

  local function carry(text)
    local code = C.carry_shim(from, text, to)
    return code, code < 0 and ffi.string(C.peri_vm_failure(from)):match("^[^\n]*") or nil
  end

  local function seen(text)
    return select(2, s.eval(to, text))
  end

  it("keeps plain values", function()
    for _, case in ipairs({
      { "nil", "nil" },
      { "true", "true" },
      { "false", "false" },
      { "-1.5", "-1.5" },
      { "1/0", "inf" },
      { "''", "" },
      { "'a\\0\\255b'", "a\0\255b" },
    }) do
      assert.equal(0, (carry("return " .. case[1])))
      assert.equal(case[2] == "a\0\255b" and "true" or case[2], seen(case[2] == "a\0\255b" and "return carried == 'a\\0\\255b'" or "return carried"))
    end
  end)

  it("keeps tables with all their keys", function()
    assert.equal(0, (carry("return { 1, 2, nil, 4, x = { y = { [true] = 'z' } }, [1.5] = {}, ['}'] = '{' }")))
    assert.equal("1 2 nil 4 z table {", seen([[
      return table.concat({ carried[1], carried[2], tostring(carried[3]), carried[4], carried.x.y[true],
        type(carried[1.5]), carried["}"] }, " ")]]))
  end)

  it("refuses all else with words", function()
    for text, words in pairs({
      ["return print or require"] = "only plain data can be exported, not a function",
      ["return { coroutine.create(function() end) }"] = "only plain data can be exported, not a thread",
      ["local t = {} t.t = t return t"] = "nested too deep, or holds itself",
      ["return ('x'):rep(2^20)"] = "more than 1024 KiB of state are exported",
      ["local t = {} for i = 1, 2e5 do t[i] = i end return t"] = "more than 1024 KiB of state are exported",
    }) do
      local code, failure = carry(text)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(failure:find(words, 1, true), failure)
    end
  end)

  it("fits what the other VM may hold, or fails there", function()
    to = s.vm(512 * 1024)
    assert.equal(s.ENOMEM, C.carry_shim(from, "return ('x'):rep(900000)", to))
    assert.equal("nil", seen("return carried"))
  end)

  it("reads no metamethods", function()
    local code = carry("return setmetatable({ 1 }, { __index = function() error('read') end, __pairs = 1, __len = 1 })")
    assert.equal(0, code)
    assert.equal("1 nil", seen("return carried[1] .. ' ' .. tostring(carried[2])"))
  end)
end)
