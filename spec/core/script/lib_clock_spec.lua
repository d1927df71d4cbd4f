local s = require("spec.core.script.support")

describe("perigee.clock", function()
  teardown(s.clean)

  it("has a time that only grows and the time of day", function()
    local _, text = s.eval(s.vm(), [[
      local clock = require("perigee.clock")
      local before = clock.now_ms()
      return tostring(clock.now_ms() >= before) .. " " .. clock.unix() ]])
    local grows, unix = text:match("^(%S+) (%S+)$")
    assert.equal("true", grows)
    assert.near(os.time(), tonumber(unix), 2)
  end)

  local sleeper = [[
    local policy, clock = require("perigee.policy"), require("perigee.clock")
    return policy.fallback({
      name = "sleeper",
      new = function() return {} end,
      fetch = function(_, request)
        local before = clock.now_ms()
        clock.sleep(request:key())
        return tostring(clock.now_ms() - before)
      end,
    })]]

  it("sleeps without holding the loop, never too short", function()
    local script = s.script({ ["fallback/sleeper.lua"] = sleeper })
    local fallback = assert(script:fallback("sleeper"))
    assert.is_true(tonumber(script:fetch(fallback, "20ms").value) >= 20)
    assert.equal(0, script:fetch(fallback, "0").code)
    script:close()
  end)

  it("is woken by a deadline", function()
    local script = s.script({ ["fallback/sleeper.lua"] = sleeper })
    local got = script:fetch(assert(script:fallback("sleeper")), "1h", { timeout_ms = 20 })
    assert.equal(s.ETIMEOUT, got.code)
    script:close()
  end)

  it("runs no more timers than the configuration allows", function()
    local script = s.script({ ["fallback/sleeper.lua"] = sleeper }, '{"policies":{"limits":{"timers":2}}}')
    local fallback = assert(script:fallback("sleeper"))
    local outcomes, fetches = {}, {}
    for i = 1, 2 do
      outcomes[i] = s.ffi.new("struct script_outcome")
      fetches[i] = s.ffi.new("struct peri_fetch *[1]")
      assert.equal(0, s.C.script_shim_fetch(fallback, "1h", "origin", "", 3600000, outcomes[i], fetches[i]))
    end
    local got = script:fetch(fallback, "1ms")
    assert.equal(s.ESCRIPT, got.code)
    assert.matches("the policy has 2 timers running; it may have 2", got.text)
    s.C.script_shim_cancel(fallback, fetches[1][0])
    for _ = 1, 3 do
      assert.equal(0, script:fetch(fallback, "1ms").code)
    end
    s.C.script_shim_cancel(fallback, fetches[2][0])
    script:close()
  end)

  it("does not sleep where nothing may wait", function()
    local code, text = s.eval(s.vm(), "require('perigee.clock').sleep(1)")
    assert.equal(s.ESCRIPT, code)
    assert.matches("may not wait here", text)
    code = s.eval(s.vm(), "require('perigee.clock').sleep('soon')")
    assert.equal(s.ESCRIPT, code)
  end)
end)
