local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")

local three = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }

describe("a use of a policy", function()
  local script

  after_each(function()
    balancers.close(script)
    s.clean()
  end)

  -- Picks the endpoint `at`; `told` counts the outcomes that the version got.
  local function text(at, more)
    return ([[
      local policy = require("perigee.policy")
      return policy.balancer({
        name = "b",
        new = function() return { told = 0 } end, %s
        pick = function(self, _, endpoints) return endpoints[%d], "told " .. self.told end,
        done = function(self) self.told = self.told + 1 end,
      })]]):format(more or "", at)
  end

  local function start(files)
    script = s.script(files or { ["balancer/b.lua"] = text(1) })
    local balancer = assert(balancers.make(script, "b"))
    balancer:update(three)
    return balancer
  end

  local function reload(at, more)
    assert.equal("", script:reload({ ["balancer/b.lua"] = text(at, more) }))
  end

  -- A pick for a call that `version` placed before.
  local function again(balancer, version)
    balancer.request.version = version
    local address, reason = balancer:pick()
    balancer.request.version = 0
    return address, reason, balancer.choice.version
  end

  it("goes on with the version that placed a call", function()
    local balancer = start()
    assert.equal(three[1], (balancer:pick()))
    reload(2)
    assert.equal(three[2], (balancer:pick()))
    assert.same({ three[1], "told 0", 1 }, { again(balancer, 1) })
    assert.is_false(balancer.choice.older)
    assert.same({ three[2], "told 0", 2 }, { again(balancer, 2) })
    assert.same({ three[2], "told 0", 2 }, { again(balancer, 7) })
  end)

  it("tells each version of its own calls, as long as there are any", function()
    local balancer = start()
    for i = 2, 6 do
      balancer:pick()
      reload((i - 1) % 3 + 1)
    end
    for version = 1, 5 do
      assert.same({ three[(version - 1) % 3 + 1], "told 0", version }, { again(balancer, version) })
      balancer:done(three[1], {}, version)
      assert.same({ three[(version - 1) % 3 + 1], "told 1", version }, { again(balancer, version) })
      balancer:done(three[1], {}, version)
      balancer:done(three[1], {}, version)
    end
    -- The first four are gone, and the fifth is the one before the running one.
    assert.same({ 6, 6, 6, 6, 5 }, {
      select(3, again(balancer, 1)),
      select(3, again(balancer, 2)),
      select(3, again(balancer, 3)),
      select(3, again(balancer, 4)),
      (select(3, again(balancer, 5))),
    })
    balancer:done(three[1], {}, 2)
  end)

  it("gives up the oldest of too many versions", function()
    local balancer = start()
    for _ = 1, 19 do
      balancer:pick()
      assert.equal("", script:reload({}, { force = "*" }))
    end
    -- 20 runs and 19 is before it; of those with open calls, 3 to 18 are kept.
    assert.same({ 20, 20, 3 }, { select(3, again(balancer, 1)), select(3, again(balancer, 2)), (select(3, again(balancer, 3))) })
  end)

  it("shows new endpoints to the versions before when they are asked", function()
    local count = "update = function(self, endpoints) self.told = #endpoints end,"
    local balancer = start({ ["balancer/b.lua"] = text(1, count) })
    balancer:pick()
    reload(2, count)
    balancer:pick()
    reload(1, count)
    balancer:update({ three[2], three[3] })
    assert.same({ three[2], "told 2", 1 }, { again(balancer, 1) })
    assert.same({ three[3], "told 2", 2 }, { again(balancer, 2) })
    assert.same({ three[2], "told 2", 3 }, { again(balancer, 0) })
  end)

  it("gives the prepared version the present endpoints", function()
    local balancer = start()
    local words = script:reload({ ["balancer/b.lua"] = text(2, "update = function(self, endpoints) error(#endpoints .. ' are enough') end,") })
    assert.truthy(words:find("b.lua:4: 3 are enough", 1, true), words)
    assert.equal(three[1], (balancer:pick()))
    script:prepare({ ["balancer/b.lua"] = text(2) })
    balancer:update({ three[1], three[3] })
    script:commit()
    assert.equal(three[3], (balancer:pick()))
  end)

  it("takes endpoints while all that it has is prepared", function()
    script = s.script({})
    local config = '{"balancer":"b"}'
    assert.equal("", script:prepare({ ["balancer/b.lua"] = text(2) }, { config = config }))
    local balancer = assert(balancers.make(script, "b"))
    assert.equal(0, balancer:update(three))
    assert.equal(s.ESCRIPT, select(2, balancer:pick()))
    script:commit()
    assert.equal(three[2], (balancer:pick()))
    local words = "update = function(self, endpoints) if #endpoints == 1 then error('never') end end,"
    assert.equal("", script:prepare({ ["balancer/b.lua"] = text(2, words) }, { config = config }))
    local other = assert(balancers.make(script, "b"))
    assert.equal(0, other:update({ three[1] }))
    assert.truthy(select(2, script:notices()):find("never", 1, true))
  end)

  it("wants outcomes when a version of it does", function()
    local balancer = start({ ["balancer/b.lua"] = (text(1):gsub("done = [^\n]+", "")) })
    assert.is_false(balancer:wants_done())
    reload(2)
    assert.is_true(balancer:wants_done())
    balancer:pick()
    assert.equal(0, script:rollback("balancer", "b"))
    assert.is_true(balancer:wants_done())
    assert.equal("", script:reload({ ["balancer/b.lua"] = (text(3):gsub("done = [^\n]+", "")) }))
    assert.is_true(balancer:wants_done())
    balancer:done(three[2], {}, 2)
    assert.equal("", script:reload({}, { force = "*" }))
    assert.is_false(balancer:wants_done())
  end)

  it("is made on the version before as well", function()
    local balancer = start()
    reload(2)
    local later = assert(balancers.make(script, "b"))
    later:update(three)
    assert.equal(0, script:rollback("balancer", "b"))
    assert.same({ three[1], three[1] }, { (balancer:pick()), (later:pick()) })
  end)

  it("stays whole whatever happens in any order", function()
    script = s.script({ ["balancer/b.lua"] = text(1) }, '{"balancer":"b"}')
    local C, seats, calls, edits = s.C, {}, {}, 0
    local random = math.random
    local seed = tonumber(os.getenv("PERI_SEED")) or os.time()
    math.randomseed(seed)
    local deeds = {
      function()
        if #seats < 4 then
          local seat, code = balancers.make(script, "b")
          if seat then
            seats[#seats + 1] = seat
            seat:update(three)
          else
            -- There is no version yet, and of a broken file none can be made.
            assert.equal(s.ESCRIPT, code)
            assert.is_nil(script:policy("balancer", "b"))
          end
        end
      end,
      function()
        local seat = table.remove(seats, random(#seats))
        if seat then
          calls[seat] = nil
          seat:free()
        end
      end,
      function()
        local seat = seats[random(#seats)]
        if seat then
          seat:update(random(2) == 1 and three or { three[1], "10.0.0.9:1", three[3] })
        end
      end,
      function()
        local seat = seats[random(#seats)]
        for _ = 1, seat and 5 or 0 do
          local address = seat:pick()
          -- One that has only a prepared version cannot answer yet.
          if address then
            calls[seat] = calls[seat] or {}
            table.insert(calls[seat], { address, seat.choice.version })
            -- One that nobody had tried may not take the endpoints.
            if not seat.choice.older then
              assert.equal(script:policy("balancer", "b").version, seat.choice.version)
            end
          end
        end
      end,
      function()
        local seat = seats[random(#seats)]
        local call = seat and calls[seat] and table.remove(calls[seat], random(#calls[seat]))
        if call then
          again(seat, call[2])
          seat:done(call[1], {}, call[2])
        end
      end,
      function()
        edits = edits + 1
        local broken = { "update = function() error('no') end,", "import = 7,", "selftest = function() return false end," }
        s.write(script.folder .. "/balancer/b.lua", text(random(3), random(4) == 1 and broken[random(3)] or "-- " .. edits))
        C.script_shim_prepare(script.shim, nil, random(5) == 1 and "*" or nil)
      end,
      function()
        C.script_shim_step(script.shim, 1)
      end,
      function()
        C.peri_script_commit(script.shim.script)
      end,
      function()
        (random(2) == 1 and C.peri_script_abort or C.peri_script_commit)(script.shim.script)
      end,
      function()
        C.peri_script_forgo(script.shim.script, "balancer", "b")
      end,
      function()
        script:rollback("balancer", "b")
      end,
    }
    local ok, words = pcall(function()
      for _ = 1, 2000 do
        deeds[random(#deeds)]()
      end
    end)
    assert.is_true(ok, ("PERI_SEED=%d: %s"):format(seed, tostring(type(words) == "table" and words.message or words)))
  end)
end)
