local s = require("spec.core.script.support")
local C, ffi = s.C, s.ffi

describe("a fallback", function()
  local script
  after_each(function()
    if script then
      script:close()
      script = nil
    end
    s.clean()
  end)

  local function start(body, config)
    script = s.script({
      ["fallback/f.lua"] = "local policy = require('perigee.policy')\nreturn policy.fallback({ name = 'f', fetch = function(self, request, cause)\n"
        .. body
        .. "\nend })",
    }, config)
    return assert(script:fallback("f"))
  end
  local function fetch(body, options)
    local fallback = start(body)
    return script:fetch(fallback, "NZ", options)
  end

  it("answers at once", function()
    local got = fetch("return request:group() .. '/' .. request:key() .. '/' .. cause")
    assert.same({ calls = 1, code = 0, value = "countries/NZ/origin", ttl_ns = -1, negative_ttl_ns = -1, text = "" }, got)
  end)

  it("answers after waiting", function()
    local got = fetch("local a = sleep(5, 'x') local b = sleep(5, 'y') return a .. b .. request:key(), { ttl = '60s' }")
    assert.same({ 0, "xyNZ", 60e9 }, { got.code, got.value, got.ttl_ns })
  end)

  it("waits inside pcall", function()
    local got = fetch("local ok, value = pcall(function() return sleep(2, 'deep') end) return tostring(ok) .. value")
    assert.equal("truedeep", got.value)
  end)

  it("fails alone, whatever it raises", function()
    for _, body in ipairs({
      "error()",
      "error(print)",
      "error(setmetatable({}, { __tostring = function() while true do end end }))",
      "error(setmetatable({}, { __tostring = function() error(setmetatable({}, { __tostring = error })) end }))",
      "error(('x'):rep(1e6))",
      "local function f() return 1 + coroutine.wrap(f)() end return f()",
      "local function f() return 1 + f() end return f()",
      "local function f() pcall(f) pcall(f) end f() return 'late'",
      "return 'v', setmetatable({}, { __index = function() while true do end end })",
      "return 'v', { ttl = 0 / 0 }",
      "return 'v', { ttl = 1 / 0 }",
      "coroutine.yield(1) return 'late'",
    }) do
      local got = fetch("if request:key() == 'calm' then return 'fine' end " .. body)
      assert.equal(1, got.calls, body)
      assert.is_true(got.code < 0, body)
      assert.truthy(#got.text > 0 and #got.text < 512, body)
      assert.equal("fine", script:fetch(assert(script:fallback("f")), "calm").value, body)
      script:close()
    end
    script = nil
  end)

  it("cannot spoil the builtins and modules of another", function()
    local function declare(name, body)
      return ("local policy, http = require('perigee.policy'), require('perigee.http')\nreturn policy.fallback({ name = '%s', fetch = function(self, request) %s end })"):format(name, body)
    end
    script = s.script({
      ["fallback/bad.lua"] = declare("bad", "string.format, string.rep, policy.fallback, http.escape = nil, nil, nil, nil local all = _G for name in pairs(all) do all[name] = nil end return 'done'"),
      ["fallback/good.lua"] = declare("good", "return ('%s'):format(tostring(pcall(http.escape, 'a b')))"),
    })
    local bad = assert(script:fallback("bad"))
    local got = script:fetch(bad, "k")
    assert.equal("done", got.value, got.text)
    assert.equal("true", script:fetch(assert(script:fallback("good")), "k").value)
  end)

  it("runs many fetches at once", function()
    local fallback = start("sleep(10) return request:key()")
    local outcomes, fetches = ffi.new("struct script_outcome[200]"), ffi.new("struct peri_fetch *[1]")
    for i = 0, 199 do
      assert.equal(0, C.script_shim_fetch(fallback, "key" .. i, "origin", "", 5000, outcomes[i], fetches))
    end
    for i = 0, 199 do
      C.script_shim_wait(script.shim, outcomes[i], 5000)
      assert.same({ 1, 0, "key" .. i }, { outcomes[i].calls, outcomes[i].code, s.outcome(outcomes[i]).value })
    end
  end)

  it("bounds how many run at once", function()
    local fallback = start("sleep(10000) return request:key()")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    local code, started = 0, 0
    while code == 0 and started < 5000 do
      code = C.script_shim_fetch(fallback, "key", "origin", "", 0, outcome, fetch_box)
      started = started + (code == 0 and 1 or 0)
    end
    assert.same({ s.ELIMIT, 2048 }, { code, started })
    assert.is_true(tonumber(outcome.calls) == 0)
  end)

  it("fails with file and line when it raises", function()
    for _, body in ipairs({ "error('broken')", "sleep(2)\nerror('broken')" }) do
      local got = fetch(body)
      assert.equal(s.ESCRIPT, got.code)
      assert.truthy(got.text:find("^fallback f: .*f.lua:%d: broken$"), got.text)
      assert.equal(1, script:errors("fallback", "f"))
      local count, text = script:notices()
      assert.equal(1, count)
      assert.truthy(text:find("stack traceback", 1, true))
      script:close()
      script = nil
    end
  end)

  it("fails when a library's result raises", function()
    local got = fetch("sleep_badly(2) return 'x'")
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("slept badly", 1, true))
  end)

  it("fails when it runs on, before and after waiting", function()
    for _, body in ipairs({ "while true do pcall(function() while true do end end) end", "sleep(2) while true do end" }) do
      local got = fetch(body)
      assert.equal(s.ESCRIPT, got.code)
      assert.truthy(got.text:find("budget of", 1, true), got.text)
      script:close()
      script = nil
    end
  end)

  it("fails when it eats memory, and works again", function()
    local fallback = start("if request:key() == 'eat' then local x = ('x'):rep(9e6) end return 'ok'")
    assert.equal(s.ENOMEM, script:fetch(fallback, "eat").code)
    assert.equal("ok", script:fetch(fallback, "fine").value)
  end)

  it("may wait only in its own coroutine", function()
    for _, body in ipairs({
      "return coroutine.wrap(function() return sleep(1) end)()",
      "return (('x'):gsub('x', function() return sleep(1) end))",
      "local t = setmetatable({}, { __index = function() return (('x'):gsub('x', function() return sleep(1) end)) end }) return t.x",
      "table.sort({ 1, 2, 3 }, function() sleep(1) return true end) return 'x'",
    }) do
      local got = fetch(body)
      assert.equal(s.ESCRIPT, got.code)
      assert.truthy(got.text:find("sleep may not wait here", 1, true), got.text)
      script:close()
      script = nil
    end
  end)

  it("may not yield by itself", function()
    local got = fetch("coroutine.yield(5) return 'x'")
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("fetch yielded by itself", 1, true), got.text)
  end)

  it("may use coroutines of its own", function()
    local got = fetch("local next = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) return next() .. next() .. sleep(1)")
    assert.equal("12slept", got.value)
  end)

  it("is ended by its time limit", function()
    local got = fetch("sleep(60000) return 'x'", { timeout_ms = 20 })
    assert.equal(s.ETIMEOUT, got.code)
    assert.equal("fallback f took longer than 20 ms", got.text)
    assert.equal(1, script.shim.cancels)
    assert.equal(0, script:errors("fallback", "f"))
  end)

  it("is cancelled, with what it waits for", function()
    local fallback = start("sleep(60000) return 'x'")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    C.script_shim_fetch(fallback, "NZ", "origin", "", 5000, outcome, fetch_box)
    C.peri_loop_step(script.shim.loop, 5)
    C.script_shim_cancel(fallback, fetch_box[0])
    assert.equal(1, script.shim.cancels)
    C.script_shim_wait(script.shim, outcome, 20)
    assert.equal(0, outcome.calls)
  end)

  it("is cancelled when it has ended but not yet said so", function()
    local fallback = start("return 'x'")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    C.script_shim_fetch(fallback, "NZ", "origin", "", 5000, outcome, fetch_box)
    C.script_shim_cancel(fallback, fetch_box[0])
    C.script_shim_wait(script.shim, outcome, 20)
    assert.equal(0, outcome.calls)
  end)

  it("cancels what runs when it is freed", function()
    local fallback = start("sleep(60000) return 'x'")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    for _ = 1, 3 do
      C.script_shim_fetch(fallback, "NZ", "origin", "", 5000, outcome, fetch_box)
    end
    local shim = script.shim
    C.script_shim_free_fallback(fallback)
    script.fallbacks = {}
    assert.equal(3, shim.cancels)
    assert.equal(0, outcome.calls)
  end)

  it("may be freed from within the answer", function()
    for _, body in ipairs({ "return 'x'", "return sleep(2, 'x')", "error('x')" }) do
      local fallback = start(body)
      local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
      outcome.free_me = fallback
      script.fallbacks = {}
      assert.equal(0, C.script_shim_fetch(fallback, "NZ", "origin", "", 5000, outcome, fetch_box))
      C.script_shim_wait(script.shim, outcome, 5000)
      assert.equal(1, outcome.calls)
      script:close()
      script = nil
    end
  end)

  -- A second version, and what a key gets from it.
  local function replace(body, config)
    local before = "if request:key() == 'slow' then return sleep(30, 'slow one') end\n"
      .. "if request:key() == 'endless' then sleep(3600000) end return 'one ' .. request:key()"
    local fallback = start(before, config)
    local text = "return require('perigee.policy').fallback({ name = 'f', fetch = function(self, request, cause) " .. body .. " end })"
    assert.equal("", script:reload({ ["fallback/f.lua"] = text }))
    assert.equal(0, C.script_shim_sleepers(script.shim))
    return fallback
  end

  it("that raises is followed by the version before, with the same request", function()
    local fallback = replace("if cause == 'origin' then error('new') end return 'two'")
    assert.equal("one NZ", script:fetch(fallback, "NZ").value)
    assert.equal("two", script:fetch(fallback, "NZ", { cause = "timeout", peer = "p" }).value)
    assert.same({ 1, 1 }, { (script:notices()), script:errors("fallback", "f") })
  end)

  it("that raises after a wait, or uses up a budget, is followed as well", function()
    local fallback = replace("if request:key() == 'loop' then while true do end end sleep(2) error('late')")
    assert.same({ "one a", "slow one" }, { script:fetch(fallback, "a").value, script:fetch(fallback, "slow").value })
    assert.equal("one loop", script:fetch(fallback, "loop").value)
  end)

  it("that has no value is not followed", function()
    local fallback = replace("return nil, 'ENOTFOUND: none', 'ENOTFOUND'")
    assert.equal(s.ENOTFOUND, script:fetch(fallback, "a").code)
    script:close()
    fallback = replace("return nil, 'EIO: broken', 'EIO'")
    assert.equal(s.EIO, script:fetch(fallback, "a").code)
  end)

  it("tells the last failure when every version fails", function()
    local fallback = start("error('old')")
    script:reload({ ["fallback/f.lua"] = "return require('perigee.policy').fallback({ name = 'f', fetch = function() error('new') end })" })
    local got = script:fetch(fallback, "a")
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("^fallback f: .*: old$"), got.text)
  end)

  it("ends what it began on the version that it began with", function()
    local fallback = start("sleep(20) return 'one'")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    assert.equal(0, C.script_shim_fetch(fallback, "NZ", "origin", "", 60000, outcome, fetch_box))
    for i = 2, 4 do
      script:reload({ ["fallback/f.lua"] = ("return require('perigee.policy').fallback({ name = 'f', fetch = function() return '%d' end })"):format(i) })
    end
    assert.equal("4", script:fetch(fallback, "a").value)
    C.script_shim_wait(script.shim, outcome, 60000)
    assert.same({ 1, "one" }, { outcome.calls, ffi.string(outcome.value, 3) })
  end)

  it("lets a fetch be cancelled, or time out, on any version", function()
    local fallback = replace("sleep(2) if request:key() == 'longer' then sleep(3600000) end error('late')")
    local outcome, fetch_box = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    assert.equal(0, C.script_shim_fetch(fallback, "endless", "origin", "", 3600000, outcome, fetch_box))
    script:await(function() -- The old version waits now.
      return script:errors("fallback", "f") == 1
    end)
    script:reload({}, { force = "*" })
    C.script_shim_cancel(fallback, fetch_box[0])
    assert.equal(0, outcome.calls)
    assert.equal(1, script.shim.cancels)
    assert.equal(0, C.script_shim_fetch(fallback, "longer", "origin", "", 3600000, outcome, fetch_box))
    script:reload({}, { force = "*" })
    C.script_shim_cancel(fallback, fetch_box[0])
    assert.equal(0, outcome.calls)
  end)

  local limits = '{"policies":{"limits":{"failures":3,"pause":"1h"}}}'

  it("is switched off when nothing but failures comes", function()
    local fallback = start("if request:key() == 'bad' then error('no ' .. request:key()) end return 'fine'", limits)
    for _ = 1, 10 do
      assert.equal(s.ESCRIPT, script:fetch(fallback, "bad").code)
      assert.equal("fine", script:fetch(fallback, "good").value)
    end
    for _ = 1, 3 do
      script:fetch(fallback, "bad")
    end
    local got = script:fetch(fallback, "good")
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("^fallback f: switched off after 3 failures in 10 s: .*: no bad$"), got.text)
    assert.equal(13, script:errors("fallback", "f"))
  end)

  it("leaves fetches to the version before while it is off", function()
    local fallback = replace("error('new')", limits)
    for _ = 1, 6 do
      assert.equal("one a", script:fetch(fallback, "a").value)
    end
    assert.equal(3, script:errors("fallback", "f"))
    assert.is_true(script:policy("fallback", "f").off)
  end)

  it("stays whole whatever happens to it in any order", function()
    local random, edits, fetches, held = math.random, 0, {}, {}
    local seed = tonumber(os.getenv("PERI_SEED")) or os.time()
    math.randomseed(seed)
    -- Some wait, and some fail at once or later.
    local function text(more)
      return ([[
        local policy = require("perigee.policy")
        return policy.fallback({ name = "f", new = function() return {} end, %s
          fetch = function(self, request)
            local key = tonumber(request:key())
            if key %% 3 > 0 then sleep(key %% 7, "x") end
            if key %% 5 == 0 then error("moody") end
            if key %% 11 == 0 then return nil, "none" end
            return "%d"
          end })]]):format(more or "", edits)
    end
    local names, other = '{"groups":{"g":{"fallback":"f"}}}', '{"groups":{}}'
    script = s.script({ ["fallback/f.lua"] = text() }, names)
    local shim = script.shim
    local deeds = {
      function()
        if #held < 3 then
          held[#held + 1] = script:fallback("f")
          script.fallbacks = {}
        end
      end,
      function()
        local f = random(4) == 1 and table.remove(held, random(#held))
        if f then
          C.script_shim_free_fallback(f)
          for i = #fetches, 1, -1 do
            if fetches[i].of == f then
              table.remove(fetches, i)
            end
          end
        end
      end,
      function()
        local f = held[random(#held)]
        for _ = 1, f and 4 or 0 do
          local one = { of = f, outcome = ffi.new("struct script_outcome"), fetch = ffi.new("struct peri_fetch *[1]") }
          if C.script_shim_fetch(f, tostring(random(1000)), "origin", "", random(5), one.outcome, one.fetch) == 0 then
            fetches[#fetches + 1] = one
          end
        end
      end,
      function()
        local one = table.remove(fetches, random(#fetches))
        if one and one.outcome.calls == 0 then
          C.script_shim_cancel(one.of, one.fetch[0])
        end
      end,
      function()
        edits = edits + 1
        s.write(script.folder .. "/fallback/f.lua", text(random(4) == 1 and "selftest = function() return false end," or nil))
        C.script_shim_prepare(shim, random(3) == 1 and (random(2) == 1 and names or other) or nil, random(5) == 1 and "*" or nil)
      end,
      function()
        C.script_shim_step(shim, 1)
      end,
      function()
        C.script_shim_sleepers(shim)
        C.script_shim_step(shim, 1)
      end,
      function()
        (random(4) == 1 and C.peri_script_abort or C.peri_script_commit)(shim.script)
      end,
      function()
        if random(3) == 1 then
          C.peri_script_forgo(shim.script, "fallback", "f")
        end
      end,
      function()
        script:rollback("fallback", "f")
      end,
    }
    local ok, words = pcall(function()
      for _ = 1, 3000 do
        deeds[random(#deeds)]()
      end
    end)
    assert.is_true(ok, ("PERI_SEED=%d: %s"):format(seed, tostring(words)))
    for _, f in ipairs(held) do
      C.script_shim_free_fallback(f)
    end
  end)
end)
