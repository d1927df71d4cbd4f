local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")
local C, ffi = s.C, s.ffi

describe("a version of a policy", function()
  local script

  after_each(function()
    script:close()
    s.clean()
  end)

  local function text(answer, more)
    return ("return require('perigee.policy').fallback({ name = 'f', %s fetch = function() return %s end })"):format(more or "", answer)
  end

  it("holds its own VM, which a fresh policy leaves small", function()
    script = s.script({ ["fallback/f.lua"] = text("'x'") })
    assert(script:fallback("f"))
    local shown = script:policy("fallback", "f")
    assert.is_true(shown.bytes > 1000 and shown.bytes <= 100 * 1024, tostring(shown.bytes))
  end)

  it("is as small for what Perigee ships", function()
    local root = os.getenv("PERI_ROOT")
    script = s.script({}, ('{"policies":{"path":["%s/plugins"]}}'):format(root))
    for _, case in ipairs({
      { "balancer", "round_robin" },
      { "balancer", "p2c_ewma" },
      { "balancer", "consistent_hash", '{"by":"header:x"}' },
      { "balancer", "zone_first", '{"zone":"a"}' },
      { "balancer", "subset", '{"size":3}' },
      { "picker", "maglev" },
      { "fallback", "static_reply", '{"value":"x"}' },
    }) do
      local kind, name, options = case[1], case[2], case[3]
      local balancer = kind == "balancer" and assert(balancers.make(script, name, options))
      assert(balancer or script[kind](script, name, options))
      local bytes = script:policy(kind, name).bytes
      assert.is_true(bytes <= 100 * 1024, ("%s %s: %d"):format(kind, name, bytes))
      if balancer then
        balancer:free()
        script.pickers = {}
      end
    end
  end)

  it("is its files: the same text has the same digest", function()
    script = s.script({ ["fallback/f.lua"] = text("'x'") })
    assert(script:fallback("f"))
    local digests = {}
    for i, answer in ipairs({ "'x'", "'y'", "'x'" }) do
      script:reload({ ["fallback/f.lua"] = text(answer) }, { force = "*" })
      digests[i] = script:policy("fallback", "f").digest
    end
    assert.is_true(digests[1] == digests[3] and digests[1] ~= digests[2])
    assert.equal(4, script:policy("fallback", "f").version)
  end)

  it("is not taken when its selftest fails, also at first", function()
    script = s.script({ ["fallback/f.lua"] = text("'x'", "selftest = function() return false, 'one is not two' end,") })
    local none, code, words = script:fallback("f")
    assert.is_nil(none)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(words:find("one is not two", 1, true), words)
  end)

  it("has functions where its declaration had them when it was checked", function()
    for change, why in pairs({
      ["d.fetch = setmetatable({}, { __call = function() return 5 end })"] = "fetch must be a function, not a table",
      ["d.fetch = nil"] = "fetch must be a function, not a nil",
      ["d.export = 5"] = "export must be a function, not a number",
      ["d.selftest = function() d.fetch = {} end"] = "fetch must be a function, not a table",
    }) do
      local declared = text("'x'"):gsub("^return", "local d =")
      script = s.script({ ["fallback/f.lua"] = ("%s %s return d"):format(declared, change) })
      local none, code, words = script:fallback("f")
      assert.is_nil(none)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(words:find("fallback/f.lua:1: " .. why, 1, true), words)
      script:close()
    end
    script = s.script({})
  end)

  it("is freed after its last fetch, on a turn of the loop", function()
    script = s.script({ ["fallback/f.lua"] = text("sleep(50, 'first')") })
    local f = assert(script:fallback("f"))
    local outcome, fetch = ffi.new("struct script_outcome"), ffi.new("struct peri_fetch *[1]")
    assert.equal(0, C.script_shim_fetch(f, "k", "origin", "", 60000, outcome, fetch))
    for i = 1, 5 do
      assert.equal("", script:reload({ ["fallback/f.lua"] = text("'" .. i .. "'") }))
    end
    assert.equal("5", script:fetch(f).value)
    C.script_shim_wait(script.shim, outcome, 60000)
    assert.same({ 1, "first" }, { outcome.calls, ffi.string(outcome.value, 5) })
    for _ = 1, 10 do
      C.script_shim_step(script.shim, 5)
    end
    assert.same({ 6, 5 }, { script:policy("fallback", "f").version, script:policy("fallback", "f").previous })
  end)
end)
