local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")
local C = s.C

local function fallback(answer, more)
  return ([[
    local policy = require("perigee.policy")
    return policy.fallback({
      name = "f", schema = { word = { type = "string", default = "" } }, %s
      new = function(options) return { word = options.word } end,
      fetch = function(self) return %s end,
    })]]):format(more or "", answer)
end

describe("preparing", function()
  local script

  after_each(function()
    balancers.close(script)
    s.clean()
  end)

  it("makes a new version beside the running one, and takes it at once", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    local f = assert(script:fallback("f"))
    assert.equal("one", script:fetch(f).value)
    assert.equal("", script:prepare({ ["fallback/f.lua"] = fallback("'two'") }))
    assert.equal("one", script:fetch(f).value)
    local before = script:policy("fallback", "f")
    script:commit()
    assert.equal("two", script:fetch(f).value)
    local after = script:policy("fallback", "f")
    assert.same({ 1, 0, 2, 1 }, { before.version, before.previous, after.version, after.previous })
    assert.not_equal(before.digest, after.digest)
    assert.truthy(after.path:find("/fallback/f.lua", 1, true))
    assert.equal(1, after.seats)
    assert.equal(3, after.calls)
  end)

  it("leaves alone what has not changed, unless it is asked to", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    assert(script:fallback("f"))
    script:reload({})
    assert.equal(1, script:policy("fallback", "f").version)
    script:reload({}, { force = "fallback/other" })
    script:reload({}, { force = "picker/f" })
    script:reload({}, { force = "fallback" })
    assert.equal(1, script:policy("fallback", "f").version)
    script:reload({}, { force = "fallback/f" })
    assert.equal(2, script:policy("fallback", "f").version)
    script:reload({}, { force = "*" })
    assert.equal(3, script:policy("fallback", "f").version)
  end)

  it("sees modules that change, come and go", function()
    local own = [[
      local policy = require("perigee.policy")
      local found, words = pcall(require, "words")
      return policy.fallback({ name = "f", fetch = function() return found and words or "none" end })]]
    script = s.script({ ["fallback/f.lua"] = own })
    local f = assert(script:fallback("f"))
    assert.equal("none", script:fetch(f).value)
    script:reload({ ["words.lua"] = "return 'one'" })
    assert.equal("one", script:fetch(f).value)
    script:reload({ ["words.lua"] = "return 'two'" })
    assert.equal("two", script:fetch(f).value)
    script:reload({ ["words.lua"] = false })
    assert.equal("none", script:fetch(f).value)
    assert.equal(4, script:policy("fallback", "f").version)
  end)

  it("keeps what runs when the new one is wrong, and says why", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    local f = assert(script:fallback("f"))
    for _, case in ipairs({
      { "return 1 +", "fallback f: .*f.lua:1: unexpected symbol" },
      { "error('not today')", "fallback f: .*f.lua:1: not today" },
      { "return 7", "the file must return policy.fallback" },
      { fallback("'x'", "selftest = function() error('untested') end,"), "fallback f: .*f.lua:3: untested" },
      { fallback("'x'"):gsub("return { word = options.word }", "return nil, 'no thanks'"), "fallback f: no thanks" },
      { false, 'there is no fallback "f" in ' },
    }) do
      local failures = script:reload({ ["fallback/f.lua"] = case[1] })
      assert.truthy(failures:find("^fallback/f %-%d+: "), failures)
      assert.truthy(failures:find(case[2]), failures)
      assert.equal("one", script:fetch(f).value)
      assert.equal(1, script:policy("fallback", "f").version)
    end
    assert.equal("", script:reload({ ["fallback/f.lua"] = fallback("'two'") }))
    assert.equal("two", script:fetch(f).value)
    assert.equal(2, script:policy("fallback", "f").version)
    assert.equal(0, (script:notices()))
  end)

  it("refuses a version for the options of one use of it", function()
    local picky = fallback("self.word"):gsub('type = "string"', '%0, values = { "", "a", "b" }')
    script = s.script({ ["fallback/f.lua"] = fallback("self.word") })
    local a, c = assert(script:fallback("f", '{"word":"a"}')), assert(script:fallback("f", '{"word":"c"}'))
    assert.truthy(script:reload({ ["fallback/f.lua"] = picky }):find("word", 1, true))
    assert.same({ "a", "c" }, { script:fetch(a).value, script:fetch(c).value })
    assert.equal(1, script:policy("fallback", "f").version)
  end)

  it("takes the good ones and leaves the others", function()
    local function named(name, answer)
      return (fallback(answer):gsub('name = "f"', ('name = "%s"'):format(name)))
    end
    script = s.script({ ["fallback/a.lua"] = named("a", "'a1'"), ["fallback/b.lua"] = named("b", "'b1'") })
    local a, b = assert(script:fallback("a")), assert(script:fallback("b"))
    local failures = script:prepare({ ["fallback/a.lua"] = named("a", "'a2'"), ["fallback/b.lua"] = named("b", "") .. ")" })
    assert.truthy(failures:find("^fallback/b [^\n]+\n$"), failures)
    script:commit()
    assert.same({ "a2", "b1" }, { script:fetch(a).value, script:fetch(b).value })
  end)

  it("is given up for one policy or for all", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    local f = assert(script:fallback("f"))
    script:prepare({ ["fallback/f.lua"] = fallback("'two'") })
    C.peri_script_forgo(script.shim.script, "fallback", "f")
    C.peri_script_forgo(script.shim.script, "fallback", "unknown")
    script:commit()
    assert.equal("one", script:fetch(f).value)
    script:prepare({})
    C.peri_script_abort(script.shim.script)
    C.peri_script_abort(script.shim.script)
    assert.equal("one", script:fetch(f).value)
    script:reload({})
    assert.equal("two", script:fetch(f).value)
    assert.equal(2, script:policy("fallback", "f").version)
  end)

  it("is given up while it is under way", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    local f = assert(script:fallback("f"))
    s.write(script.folder .. "/fallback/f.lua", fallback("'two'"))
    assert.equal(0, C.script_shim_prepare(script.shim, nil, nil))
    assert.equal(s.EBUSY, C.script_shim_prepare(script.shim, nil, nil))
    C.peri_script_abort(script.shim.script)
    C.script_shim_step(script.shim, 5)
    assert.equal(0, script.shim.prepared)
    assert.equal("one", script:fetch(f).value)
    assert.equal(0, C.script_shim_prepare(script.shim, nil, nil))
  end)

  it("takes nothing that is not whole", function()
    local slow = "for _ = 1, 5e6 do end "
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") }, '{"policies":{"limits":{"load":"1s"}}}')
    local f = assert(script:fallback("f"))
    for i = 1, 50 do
      s.write(script.folder .. "/fallback/f.lua", slow .. fallback("'two'") .. "-- " .. i)
      assert.equal(0, C.script_shim_prepare(script.shim, nil, nil))
      local ready = script.shim.prepared
      for _ = 1, i % 3 do
        C.script_shim_step(script.shim, 1)
        ready = script.shim.prepared
      end
      script:commit()
      assert.equal(script:policy("fallback", "f").version == 1 and "one" or "two", script:fetch(f).value)
      if ready > 0 then
        assert.equal("two", script:fetch(f).value)
        break
      end
    end
  end)

  it("carries state over", function()
    local counter = [[
      local policy = require("perigee.policy")
      return policy.fallback({
        name = "f", new = function() return { at = 0 } end,
        fetch = function(self) self.at = self.at + 1 return STEP .. self.at end,
        export = function(self) return { at = self.at } end,
        import = function(self, state) self.at = state.at end,
      })]]
    local function step(name)
      return (counter:gsub("STEP", ("'%s'"):format(name)))
    end
    script = s.script({ ["fallback/f.lua"] = step("a") })
    local f = assert(script:fallback("f"))
    script:fetch(f)
    assert.equal("a2", script:fetch(f).value)
    script:reload({ ["fallback/f.lua"] = step("b") })
    assert.equal("b3", script:fetch(f).value)
    -- One that does not take it begins anew.
    script:reload({ ["fallback/f.lua"] = (step("c"):gsub("import[^\n]+", "")) })
    assert.equal("c1", script:fetch(f).value)
    script:reload({ ["fallback/f.lua"] = (step("d"):gsub("import = [^\n]+", "import = function() error('too old') end,")) })
    assert.equal("c2", script:fetch(f).value)
  end)

  it("begins anew, and says so, when the running version cannot export", function()
    local more = "export = function() error('lost') end, import = function(self) self.word = 'imported' end,"
    script = s.script({ ["fallback/f.lua"] = fallback("self.word .. 1", more) })
    local f = assert(script:fallback("f"))
    assert.equal("", script:reload({ ["fallback/f.lua"] = fallback("self.word .. 2", more) }))
    assert.equal("2", script:fetch(f).value)
    local count, text = script:notices()
    assert.equal(1, count)
    assert.truthy(text:find("^fallback f: .*: lost"), text)
  end)

  it("gives new uses the prepared version as well", function()
    script = s.script({ ["fallback/f.lua"] = fallback("'one'") })
    assert(script:fallback("f"))
    script:prepare({ ["fallback/f.lua"] = fallback("'two'") })
    local later = assert(script:fallback("f"))
    assert.equal("one", script:fetch(later).value)
    script:commit()
    assert.equal("two", script:fetch(later).value)
    -- What only the new version takes is made as well.
    script:prepare({ ["fallback/f.lua"] = fallback("self.more", "") :gsub("{ word = options.word }", "{ more = options.more }")
      :gsub("schema = {", "%0 more = { type = \"string\", default = \"none\" },") })
    local more = assert(script:fallback("f", '{"more":"x"}'))
    assert.equal(s.ESCRIPT, script:fetch(more).code)
    script:commit()
    assert.equal("x", script:fetch(more).value)
  end)

  it("takes one thing in a turn", function()
    local files, changed = {}, {}
    for i = 1, 20 do
      local text = fallback("'one'"):gsub('"f"', ('"f%d"'):format(i))
      -- Each load takes longer than a turn may.
      files[("fallback/f%d.lua"):format(i)] = text
      changed[("fallback/f%d.lua"):format(i)] = "for _ = 1, 5e6 do end " .. text
    end
    script = s.script(files, '{"policies":{"limits":{"load":"1s"}}}')
    for i = 1, 20 do
      assert(script:fallback("f" .. i))
    end
    local failures, turns = script:prepare(changed)
    assert.equal("", failures)
    -- A step of the loop looks at its timers twice.
    assert.is_true(turns >= 10, tostring(turns))
  end)

  it("knows what the configuration names", function()
    local config = '{"listen":{"app":"127.0.0.1:1"},"groups":{"g":{"fallback":["f",{"word":"a"}]}}}'
    script = s.script({ ["picker/ring_crc32.lua"] = "return require('perigee.policy').picker({ name = 'ring_crc32', pick = function(_, _, peers) return peers[1] end })" })
    assert.equal("", script:prepare({ ["fallback/f.lua"] = fallback("self.word") }, { config = config }))
    local f = assert(script:fallback("f", '{"word":"b"}'))
    script:commit()
    assert.equal("b", script:fetch(f).value)
    assert.equal(1, script:policy("fallback", "f").version)
    assert.equal(1, script:policy("picker", "ring_crc32").version)
    -- A use that is not in the new configuration stays with what it has.
    script:reload({ ["fallback/f.lua"] = fallback("self.word .. 2") }, { config = config })
    assert.equal("b", script:fetch(f).value)
    script:reload({ ["fallback/f.lua"] = fallback("self.word .. 3") })
    assert.equal("b3", script:fetch(f).value)
    script:reload({}, { config = "{}" })
    assert.is_nil(script:policy("picker", "ring_crc32"))
    assert.is_nil(script:policy("fallback", "f"))
    assert.equal("b3", script:fetch(f).value)
  end)
end)
