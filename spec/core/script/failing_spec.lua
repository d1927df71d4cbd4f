local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")
local ffi = s.ffi

local three = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }

describe("a policy that fails", function()
  local script

  after_each(function()
    balancers.close(script)
    s.clean()
  end)

  local function text(pick, more)
    return ("return require('perigee.policy').balancer({ name = 'b', %s pick = function(self, request, endpoints) %s end })"):format(more or "", pick)
  end

  local function start(limits, pick)
    script = s.script({ ["balancer/b.lua"] = text(pick) }, ('{"balancer":"b","policies":{"limits":%s}}'):format(limits))
    local balancer = assert(balancers.make(script, "b"))
    balancer:update(three)
    return balancer
  end

  local function trouble(balancer)
    return ffi.string(balancer.choice.trouble.ptr, balancer.choice.trouble.len)
  end

  -- Fails for calls with the header x.
  local moody = "if request:header('x') then error('moody') end return endpoints[2], 'fine'"

  it("to hand over is told, but not switched off by edits", function()
    local lost = "export = function() error('lost') end, import = function() end,"
    script = s.script({ ["balancer/b.lua"] = text("return endpoints[1]", lost) }, '{"balancer":"b","policies":{"limits":{"failures":2}}}')
    local balancer = assert(balancers.make(script, "b"))
    balancer:update(three)
    for i = 1, 4 do
      local refused = text("return endpoints[3]", "import = function() error('edit " .. i .. "') end, new = function() error('no') end,")
      assert.truthy(script:reload({ ["balancer/b.lua"] = refused }):find("no", 1, true))
    end
    local shown = script:policy("balancer", "b")
    assert.same({ 1, false, 4 }, { shown.version, shown.off, shown.errors })
    assert.equal(three[1], (balancer:pick()))
    local count, notice = script:notices()
    assert.equal(1, count)
    assert.truthy(notice:find("b.lua:1: lost", 1, true), notice)
  end)

  it("so often is switched off, told once, and tried again later", function()
    local balancer = start('{"failures":3,"window":"1h","pause":"50ms"}', moody)
    balancer:header("x", "1")
    for i = 1, 3 do
      assert.equal(s.ESCRIPT, select(2, balancer:pick()))
      assert.truthy(trouble(balancer):find("b.lua:1: moody$"), trouble(balancer))
      assert.equal(i == 3 and 2 or 1, (script:notices()))
    end
    local _, notice = script:notices()
    assert.truthy(notice:find("^balancer b: switched off after 3 failures in 3600 s, next try in 50 ms: .*b.lua:1: moody$"), notice)
    local shown = script:policy("balancer", "b")
    assert.same({ true, 3, 1 }, { shown.off, shown.errors, script:off("balancer", "b") })
    assert.truthy(shown.last_error:find("b.lua:1: moody$"))
    balancer:header("y", "1")
    assert.equal(s.ESCRIPT, select(2, balancer:pick()))
    assert.truthy(trouble(balancer):find("^switched off after 3 failures in 3600 s: .*moody"), trouble(balancer))
    script:await(function()
      return script:policy("balancer", "b").off_ms == 0
    end)
    -- The first failure after the pause switches it off again, without words.
    balancer:header("x", "1")
    assert.equal(s.ESCRIPT, select(2, balancer:pick()))
    assert.equal(4, script:policy("balancer", "b").errors)
    balancer:header("y", "1")
    assert.equal(s.ESCRIPT, select(2, balancer:pick()))
    assert.equal(2, (script:notices()))
    script:await(function()
      return balancer:pick() == three[2]
    end)
    local count
    count, notice = script:notices()
    assert.same({ 3, "balancer b: on again" }, { count, notice })
    assert.is_false(script:policy("balancer", "b").off)
    assert.equal(0, script:off("balancer", "b"))
    assert.equal("", trouble(balancer))
  end)

  it("now and then stays on", function()
    local balancer = start('{"failures":3,"window":"20ms","pause":"1h"}', moody)
    for _ = 1, 5 do
      balancer:header("x", "1")
      balancer:pick()
      local failed_ns = s.C.script_shim_now_ns()
      script:await(function()
        return s.C.script_shim_now_ns() - failed_ns > 50e6
      end)
    end
    assert.is_false(script:policy("balancer", "b").off)
    balancer:header("y", "1")
    assert.equal(three[2], (balancer:pick()))
  end)

  it("leaves the call to the version before, and is told of", function()
    local balancer = start('{"failures":3,"pause":"1h"}', "return endpoints[1]")
    assert.equal("", script:reload({ ["balancer/b.lua"] = text(moody) }))
    balancer:header("x", "1")
    for i = 1, 6 do
      assert.equal(three[1], (balancer:pick()))
      assert.same({ 1, true }, { balancer.choice.version, balancer.choice.older })
      assert.truthy(trouble(balancer):find(i <= 3 and "b.lua:1: moody$" or "^switched off after 3 failures in 10 s: .*moody"), trouble(balancer))
    end
    assert.equal(3, script:errors("balancer", "b"))
    assert.is_true(script:policy("balancer", "b").off)
    -- A new version begins with a clean sheet.
    assert.equal("", script:reload({ ["balancer/b.lua"] = text("return endpoints[3]") }))
    assert.is_false(script:policy("balancer", "b").off)
    assert.equal(0, script:off("balancer", "b"))
    assert.equal(three[3], (balancer:pick()))
    assert.same({ 3, false }, { balancer.choice.version, balancer.choice.older })
  end)

  it("in both versions leaves it to the caller", function()
    local balancer = start("{}", "error('old')")
    assert.equal("", script:reload({ ["balancer/b.lua"] = text("error('new')") }))
    assert.equal(s.ESCRIPT, select(2, balancer:pick()))
    assert.truthy(trouble(balancer):find("new", 1, true))
    assert.equal(2, script:errors("balancer", "b"))
  end)

  it("to take its endpoints leaves them to the version before", function()
    local balancer = start("{}", "return endpoints[1]")
    local picky = "update = function(self, endpoints) if #endpoints == 2 then error('two') end end,"
    assert.equal("", script:reload({ ["balancer/b.lua"] = text("return endpoints[#endpoints]", picky) }))
    assert.equal(three[3], (balancer:pick()))
    assert.equal(0, balancer:update({ three[2], three[3] }))
    for _ = 1, 3 do
      assert.equal(three[2], (balancer:pick()))
      assert.truthy(trouble(balancer):find(": two$"), trouble(balancer))
    end
    assert.equal(1, script:errors("balancer", "b"))
    assert.equal(0, balancer:update(three))
    assert.equal(three[3], (balancer:pick()))
  end)

  it("has its limits from the configuration in force", function()
    local balancer = start('{"failures":1,"pause":"1h"}', moody)
    balancer:header("x", "1")
    balancer:pick()
    assert.is_true(script:policy("balancer", "b").off)
    script:reload({}, { config = '{"balancer":"b","policies":{"limits":{"failures":5}}}' })
    assert.equal(2, script:policy("balancer", "b").version)
    for _ = 1, 4 do
      balancer:pick()
    end
    assert.is_false(script:policy("balancer", "b").off)
  end)
end)
