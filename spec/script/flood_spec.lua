local s = require("spec.core.script.support")
local C, ffi = s.C, s.ffi

-- Thousands of what a policy may have only so many of at a time.
describe("a policy that opens without end", function()
  local script
  after_each(function()
    script:close()
    s.clean()
  end)

  local limits = '{"policies":{"limits":{"timers":256,"requests":64}}}'
  local function fallback(name, fetch)
    return ([[
      local clock, http = require("perigee.clock"), require("perigee.http")
      return require("perigee.policy").fallback({ name = "%s", fetch = function(_, request) %s end })]]):format(name, fetch)
  end

  -- Starts fetches of which `stays` go on, and gives what the others say, the outcomes, and
  -- the calls.
  local function start(object, count, stays)
    local outcomes, fetches = ffi.new("struct script_outcome[?]", count), {}
    for i = 0, count - 1 do
      local ret = ffi.new("struct peri_fetch *[1]")
      assert.equal(0, C.script_shim_fetch(object, "key" .. i, "origin", "", 3600000, outcomes[i], ret))
      fetches[i] = ret[0]
    end
    local words
    local function ended()
      local n = 0
      for i = 0, count - 1 do
        n = n + outcomes[i].calls
        words = outcomes[i].calls > 0 and ffi.string(outcomes[i].text) or words
      end
      return n
    end
    script:await(function()
      return ended() >= count - stays
    end)
    C.script_shim_step(script.shim, 1)
    assert.equal(count - stays, ended())
    return words, outcomes, fetches
  end

  local function cancel(object, count, outcomes, fetches)
    for i = 0, count - 1 do
      if outcomes[i].calls == 0 then
        C.script_shim_cancel(object, fetches[i])
      end
    end
  end

  local function other_works()
    assert.equal("calm", script:fetch(assert(script:fallback("calm"))).value)
  end

  it("has only so many timers", function()
    script = s.script({
      ["fallback/sleepy.lua"] = fallback("sleepy", "pcall(clock.sleep) clock.sleep('1h') return 'late'"),
      ["fallback/calm.lua"] = fallback("calm", "clock.sleep(1) return 'calm'"),
    }, limits)
    local sleepy = assert(script:fallback("sleepy"))
    local words, outcomes, fetches = start(sleepy, 2000, 256)
    assert.truthy(words:find("256 timers running; it may have 256", 1, true), words)
    assert.is_true(script:policy("fallback", "sleepy").off)
    assert.equal(10, script:errors("fallback", "sleepy"))
    other_works()
    cancel(sleepy, 2000, outcomes, fetches)
    assert.equal("", script:reload({}, { force = "fallback/sleepy" }))
    words, outcomes, fetches = start(sleepy, 256, 256)
    assert.is_nil(words)
    cancel(sleepy, 256, outcomes, fetches)
  end)

  it("has only so many requests", function()
    local listener = require("luv").new_tcp()
    listener:bind("127.0.0.1", 0)
    listener:listen(512, function() end)
    local url = "http://127.0.0.1:" .. listener:getsockname().port
    script = s.script({
      ["fallback/asking.lua"] = fallback("asking", ("return http.get('%s/')"):format(url)),
      ["fallback/calm.lua"] = fallback("calm", "clock.sleep(1) return 'calm'"),
    }, limits)
    local asking = assert(script:fallback("asking"))
    local words, outcomes, fetches = start(asking, 1000, 64)
    assert.truthy(words:find("64 HTTP requests open; it may have 64", 1, true), words)
    other_works()
    cancel(asking, 1000, outcomes, fetches)
    listener:close()
  end)
end)
