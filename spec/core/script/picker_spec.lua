local cffi = require("spec.support.ffi")
local s = require("spec.core.script.support")
local C, ffi = s.C, require("ffi")

local head = 'local policy = require("perigee.policy")\n'

describe("a picker", function()
  local script
  after_each(function()
    if script then
      script:close()
      script = nil
    end
    s.clean()
  end)

  local three = { "10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3" }
  local function start(pick, update, config)
    script = s.script({
      ["picker/p.lua"] = head
        .. ("return policy.picker({ name = 'p', update = %s, pick = %s })"):format(update or "nil", pick),
    }, config)
    local picker = assert(script:picker("p"))
    return picker, C.script_shim_update(picker, s.peers(three))
  end

  it("picks by key", function()
    local picker = start("function(self, key, peers) return peers[#key % #peers + 1], 'because' end")
    assert.same({ 0, 1 }, { script:pick(picker, "a") })
    assert.same({ 0, 2 }, { script:pick(picker, "bb") })
    assert.same({ 0, 0 }, { script:pick(picker, "ccc") })
    assert.same({ 0, 0 }, { script:pick(picker, "") })
    assert.equal(0, script:errors("picker", "p"))
    local choice = ffi.new("struct peri_choice")
    assert.equal(0, picker.pick(picker, cffi.slice("a"), choice))
    assert.equal("because", cffi.string(choice.reason))
  end)

  it("learns of new peers", function()
    local picker = start("function(self, key, peers) return self.peers[#self.peers] end", "function(self, peers) self.peers = peers end")
    assert.same({ 0, 2 }, { script:pick(picker, "a") })
    assert.equal(0, C.script_shim_update(picker, s.peers({ "10.0.0.9:1", "10.0.0.8:1" })))
    collectgarbage()
    assert.same({ 0, 1 }, { script:pick(picker, "a") })
  end)

  it("fails quietly before it knows peers", function()
    script = s.script({ ["picker/p.lua"] = head .. "return policy.picker({ name = 'p', pick = function() end })" })
    local picker = assert(script:picker("p"))
    assert.equal(s.ESCRIPT, (script:pick(picker, "a")))
    assert.equal(0, script:errors("picker", "p"))
  end)

  for name, case in pairs({
    ["nothing"] = { "nil", "p.lua:2: pick must return one of its peers, not nil" },
    ["nil and a reason"] = { "nil, 'all full'", "p.lua:2: pick found no peer: all full" },
    ["a number"] = { "1", "not number" },
    ["a string"] = { "'10.0.0.1:1'", "not string" },
    ["a table"] = { "{}", "not table" },
    ["the peers"] = { "peers", "not something else" },
    ["true"] = { "true", "not boolean" },
  }) do
    it("that returns " .. name .. " fails", function()
      local picker = start(("function(self, key, peers) return %s end"):format(case[1]))
      assert.equal(s.ESCRIPT, (script:pick(picker, "a")))
      assert.equal(1, script:errors("picker", "p"))
      local count, text = script:notices()
      assert.equal(1, count)
      assert.truthy(text:find(case[2], 1, true), text)
    end)
  end

  it("may not return a peer of older peers", function()
    local picker = start(
      "function(self, key, peers) return self.first end",
      "function(self, peers) self.first = self.first or peers[1] end"
    )
    assert.same({ 0, 0 }, { script:pick(picker, "a") })
    C.script_shim_update(picker, s.peers(three))
    assert.equal(s.ESCRIPT, (script:pick(picker, "a")))
  end)

  it("that raises is counted each time and told once", function()
    local picker = start("function(self, key) error('key ' .. (#key > 1 and 'long' or 'short')) end")
    for _ = 1, 5 do
      assert.equal(s.ESCRIPT, (script:pick(picker, "a")))
    end
    assert.same({ 1, 5 }, { (script:notices()), script:errors("picker", "p") })
    script:pick(picker, "aa")
    local count, text = script:notices()
    assert.same({ 2, 6 }, { count, script:errors("picker", "p") })
    assert.truthy(text:find("^picker p: .*p.lua:2: key long\nstack traceback:\n"), text)
  end)

  it("that raises ever new words is not told for ever", function()
    local config = '{"policies":{"limits":{"failures":200}}}'
    local picker = start("function(self, key) error('round ' .. key) end", nil, config)
    for i = 1, 100 do
      script:pick(picker, tostring(i))
    end
    assert.equal(100, script:errors("picker", "p"))
    assert.equal(32, (script:notices()))
  end)

  it("that runs on is stopped, and works when it behaves", function()
    local picker = start("function(self, key, peers) if key == 'x' then while true do pcall(error) end end return peers[1] end")
    assert.equal(s.ESCRIPT, (script:pick(picker, "x")))
    assert.truthy(select(2, script:notices()):find("budget of", 1, true))
    assert.same({ 0, 0 }, { script:pick(picker, "y") })
  end)

  it("that eats memory is stopped, and works when it behaves", function()
    local picker = start("function(self, key, peers) if key == 'x' then self.t = {} local s = ('x'):rep(1e6) for i = 1, 20 do self.t[i] = s .. i end end return peers[1] end")
    assert.equal(s.ESCRIPT, (script:pick(picker, "x")))
    assert.same({ 0, 0 }, { script:pick(picker, "y") })
  end)

  it("may not wait", function()
    local picker = start("function(self, key, peers) if key == 'y' then coroutine.yield() end sleep(1) return peers[1] end")
    assert.equal(s.ESCRIPT, (script:pick(picker, "x")))
    assert.truthy(select(2, script:notices()):find("sleep may not wait here: only a fallback's fetch may", 1, true))
    assert.equal(s.ESCRIPT, (script:pick(picker, "y")))
  end)

  it("whose update fails picks nothing until one succeeds", function()
    local picker, code = start(
      "function(self, key, peers) return peers[1] end",
      "function(self, peers) self.n = (self.n or 0) + 1 if self.n == 1 then error('first') end end"
    )
    assert.equal(s.ESCRIPT, code)
    assert.equal(1, script:errors("picker", "p"))
    assert.equal(s.ESCRIPT, (script:pick(picker, "a")))
    assert.equal(1, script:errors("picker", "p"))
    assert.equal(0, C.script_shim_update(picker, s.peers(three)))
    assert.same({ 0, 0 }, { script:pick(picker, "a") })
  end)

  it("costs little", function()
    local picker = start("function(self, key, peers) return peers[1] end")
    C.script_shim_pick_ns(picker, "some key", 1e5)
    local best = math.huge
    for _ = 1, 5 do
      best = math.min(best, C.script_shim_pick_ns(picker, "some key", 1e5))
    end
    if os.getenv("PERI_TIMING") then
      print(("a pick takes %.0f ns"):format(best))
    end
    -- Ten times what a quiet machine needs: sanitizers and neighbours are slow.
    assert.is_true(best < 4000, best .. " ns")
  end)
end)
