local s = require("spec.core.script.support")

describe("a declaration", function()
  after_each(s.clean)

  local function load(text, name)
    local script = s.script({ ["picker/" .. (name or "p") .. ".lua"] = 'local policy = require("perigee.policy")\n' .. text })
    local picker, code, words = script:picker(name or "p")
    script:close()
    return picker ~= nil, code, words
  end
  local function refuses(words, text, name)
    local ok, code, got = load(text, name)
    assert.is_false(ok)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(got:find(words, 1, true), got)
    assert.truthy(got:find("^picker p: "), got)
    assert.truthy(got:find("p.lua:%d+:"), got)
  end

  it("is taken when it is right", function()
    assert.is_true(load("return policy.picker({ name = 'p', pick = function(_, _, peers) return peers[1] end })"))
    assert.is_true(load("return policy.picker({ name = 'p', schema = {}, new = function() return {} end, update = function() end, pick = function() end })"))
  end)

  it("is refused with words when it is wrong", function()
    refuses("a picker needs a name", "return policy.picker({ pick = function() end })")
    refuses("a picker needs a name", "return policy.picker({ name = 'P q', pick = function() end })")
    refuses('a picker needs a function "pick"', "return policy.picker({ name = 'p' })")
    refuses('a picker has no field "pikc"; did you mean "pick"?', "return policy.picker({ name = 'p', pikc = function() end })")
    refuses('a picker has no field "fetch"', "return policy.picker({ name = 'p', pick = function() end, fetch = function() end })")
    refuses("picker.update must be a function, not a number", "return policy.picker({ name = 'p', pick = function() end, update = 5 })")
    refuses("the fields of a picker have names", "return policy.picker({ name = 'p', pick = function() end, 5 })")
    refuses("a picker is declared by a table, not nil", "return policy.picker()")
    refuses("must return policy.picker{…}, not nil", "")
    refuses("must return policy.picker{…}, not a table", "return {}")
    refuses("must return policy.picker{…}, not policy.fallback{…}", "return policy.fallback({ name = 'p', fetch = function() end })")
    refuses('the file is named p, but the policy in it "q"', "return policy.picker({ name = 'q', pick = function() end })")
    refuses('but the policy in it ""', "local p = policy.picker({ name = 'p', pick = function() end }) p.name = nil return p")
    refuses("unexpected symbol near '}'", "return }")
    refuses("on purpose", "error('on purpose')")
    refuses(" budget of ", "while true do end")
    refuses("in new", "return policy.picker({ name = 'p', pick = function() end, new = function() error('in new') end })")
  end)

  it("is refused as configuration when new() says why", function()
    local ok, code, words = load("return policy.picker({ name = 'p', pick = function() end, new = function() return nil, 'no such zone' end })")
    assert.is_false(ok)
    assert.equal(s.ECONFIG, code)
    assert.equal("picker p: no such zone", words)
  end)

  it("may be a balancer", function()
    local vm = s.vm()
    assert.same({ 0, "table" }, {
      s.eval(vm, "return type(require('perigee.policy').balancer({ name = 'b', pick = function() end, done = function() end }))"),
    })
  end)

  it("is found on the policy path before the plugins", function()
    local own = s.folder()
    local function policy(value)
      return ("return require('perigee.policy').fallback({ name = 'p', fetch = function() return '%s' end })"):format(value)
    end
    s.write(own .. "/fallback/p.lua", policy("own"))
    local script = s.script({ ["fallback/p.lua"] = policy("shipped") }, ('{"policies":{"path":["%s"]}}'):format(own))
    assert.equal("own", script:fetch(assert(script:fallback("p"))).value)
    local missing, code, words = script:fallback("q")
    assert.is_nil(missing)
    assert.equal(s.ENOTFOUND, code)
    assert.equal(('there is no fallback "q" in %s/fallback, %s/fallback'):format(own, script.folder), words)
    script:close()
  end)

  it("has a name that cannot leave its folder", function()
    local script = s.script({})
    for _, name in ipairs({ "../p", "p/q", "", "P", ("x"):rep(65), "p.lua" }) do
      local picker, code = script:picker(name)
      assert.is_nil(picker)
      assert.equal(s.ENOTFOUND, code)
    end
    script:close()
  end)

  describe("that uses others", function()
    local first = [[
      return require("perigee.policy").fallback({
        name = "first",
        schema = { answer = { type = "string", default = "first" }, nap = { type = "duration", default = 0 } },
        fetch = function(self, request, cause)
          if self.options.nap > 0 then sleep(self.options.nap) end
          return self.options.answer .. " " .. request:key() .. " " .. cause
        end,
      })]]
    local function all(use)
      return {
        ["fallback/first.lua"] = first,
        ["fallback/all.lua"] = ([[
          local policy = require("perigee.policy")
          return policy.fallback({
            name = "all",
            schema = { of = { type = "any" } },
            new = function(options) return { one = %s } end,
            fetch = function(self, request, cause) return self.one:fetch(request, cause) end,
          })]]):format(use),
      }
    end

    it("calls them in its own VM, waits included", function()
      local script = s.script(all("policy.use('fallback', options.of)"))
      for options, expected in pairs({
        ['{"of":"first"}'] = "first NZ origin",
        ['{"of":["first"]}'] = "first NZ origin",
        ['{"of":{"1":"first","answer":"x"}}'] = "x NZ origin",
        ['{"of":{"1":"first","nap":"5ms"}}'] = "first NZ origin",
      }) do
        assert.equal(expected, script:fetch(assert(script:fallback("all", options))).value)
      end
      script:close()
    end)

    it("checks their options", function()
      local script = s.script(all("policy.use('fallback', options.of)"))
      for options, words in pairs({
        ['{"of":{"1":"first","anwser":"x"}}'] = 'fallback first: unknown option "anwser"; did you mean "answer"?',
        ['{"of":"second"}'] = 'there is no fallback "second" in',
        ['{"of":{}}'] = 'a policy is given as "name"',
        ["{}"] = "table expected, got nil",
      }) do
        local fallback, code, text = script:fallback("all", options)
        assert.is_nil(fallback)
        assert.equal(s.ESCRIPT, code)
        assert.truthy(text:find(words, 1, true), text)
      end
      script:close()
    end)
  end)
end)
