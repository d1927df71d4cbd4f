local s = require("spec.core.script.support")

describe("waiting", function()
  it("raises outside of a fetch", function()
    local script = s.script({
      ["fallback/f.lua"] = "local policy = require('perigee.policy') return policy.fallback({ name = 'f', fetch = function() return sleep(1, 'ok') end })",
      ["picker/p.lua"] = "local policy = require('perigee.policy') return policy.picker({ name = 'p', update = function() sleep(1) end, pick = function() end })",
    })
    local fallback, picker = assert(script:fallback("f")), assert(script:picker("p"))
    assert.equal(s.ESCRIPT, s.C.script_shim_update(picker, s.peers({ "10.0.0.1:1" })))
    local _, text = script:notices()
    assert.truthy(text:find("sleep may not wait here", 1, true), text)
    assert.equal("ok", script:fetch(fallback).value)
    script:close()
    s.clean()
  end)

  it("keeps the traceback of the coroutine", function()
    local script = s.script({
      ["fallback/f.lua"] = "local function inner() sleep(1) error('deep') end\nreturn require('perigee.policy').fallback({ name = 'f', fetch = function() inner() return 'x' end })",
    })
    local fallback = assert(script:fallback("f"))
    assert.equal(s.ESCRIPT, script:fetch(fallback).code)
    local _, text = script:notices()
    assert.truthy(text:find("f.lua:1: deep\nstack traceback:", 1, true), text)
    assert.truthy(text:find("in function 'inner'", 1, true), text)
    script:close()
    s.clean()
  end)

  it("fails when an error value is no text", function()
    local script = s.script({
      ["fallback/f.lua"] = "return require('perigee.policy').fallback({ name = 'f', fetch = function() error({}) end })",
    })
    local got = script:fetch(assert(script:fallback("f")))
    assert.same({ s.ESCRIPT, "fallback f: an error value that is no text" }, { got.code, got.text })
    script:close()
    s.clean()
  end)
end)
