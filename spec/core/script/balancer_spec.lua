local balancers = require("spec.core.script.balancer_support")
local s = balancers.s

local three = { "10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3" }

describe("a balancer", function()
  local script
  after_each(function()
    if script then
      balancers.close(script)
      script = nil
    end
    s.clean()
  end)

  local function start(pick, more)
    script = s.script({
      ["balancer/b.lua"] = ([[
        local policy = require("perigee.policy")
        return policy.balancer({ name = "b", %s pick = function(self, request, endpoints) %s end })]]):format(more or "", pick),
    })
    local balancer = assert(balancers.make(script, "b"))
    return balancer, balancer:update(three)
  end
  local function errors()
    return script:errors("balancer", "b")
  end
  -- What an expression is in a pick, as text.
  local function see(balancer)
    return select(3, balancer:pick())
  end

  it("picks with a reason", function()
    local balancer = start("self.n = (self.n or 0) % #endpoints + 1 return endpoints[self.n], 'turn ' .. self.n")
    assert.same({ three[1], "turn 1" }, { balancer:pick() })
    assert.same({ three[2], "turn 2" }, { balancer:pick() })
    assert.same({ three[3], "turn 3" }, { balancer:pick() })
    assert.equal(0, errors())
  end)

  it("needs no reason, and cuts a long one", function()
    local balancer = start("self.n = (self.n or 0) + 1 return endpoints[1], self.n == 2 and ('x'):rep(500) or nil")
    assert.same({ three[1], "" }, { balancer:pick() })
    assert.same({ three[1], ("x"):rep(160) }, { balancer:pick() })
  end)

  it("may want none of them", function()
    local balancer = start("return nil, 'all of them are full'")
    assert.same({ nil, s.ENOTFOUND, "all of them are full" }, { balancer:pick() })
    assert.equal(0, errors())
  end)

  it("fails quietly before it knows endpoints", function()
    script = s.script({ ["balancer/b.lua"] = "return require('perigee.policy').balancer({ name = 'b', pick = function() end })" })
    local balancer = assert(balancers.make(script, "b"))
    assert.same({ nil, s.ESCRIPT }, { (balancer:pick()), (select(2, balancer:pick())) })
    assert.equal(0, errors())
  end)

  for name, case in pairs({
    ["nothing"] = { "", "b.lua:2: pick must return one of its endpoints, or nil and why, not nil" },
    ["a number"] = { "return 1", "not number" },
    ["an address"] = { "return endpoints[1]:address()", "not string" },
    ["a table"] = { "return {}", "not table" },
    ["the endpoints"] = { "return endpoints", "not something else" },
    ["the request"] = { "return request", "not something else" },
    ["false and why"] = { "return false, 'no'", "not boolean" },
    ["an endpoint that was tried"] = { "return self.all[1]", "returned an endpoint that was tried already" },
    ["an endpoint that left"] = { "return self.old", "not something else" },
  }) do
    it("that returns " .. name .. " fails", function()
      local balancer = start(
        case[1],
        "update = function(self, endpoints) self.old, self.all = self.all and self.all[1], { endpoints[1], endpoints[2] } end,"
      )
      balancer:update(three)
      balancer:only({ three[2], three[3] })
      assert.equal(s.ESCRIPT, (select(2, balancer:pick())))
      assert.equal(s.ESCRIPT, (select(2, balancer:pick())))
      assert.equal(2, errors())
      local count, text = script:notices()
      assert.equal(1, count)
      assert.truthy(text:find(case[2], 1, true), text)
    end)
  end

  it("sees only endpoints that were not tried", function()
    local balancer = start("return endpoints[#endpoints], #endpoints .. ' ' .. tostring(endpoints[#endpoints + 1])")
    assert.same({ three[3], "3 nil" }, { balancer:pick() })
    balancer:only({ three[1], three[2] })
    assert.same({ three[2], "2 nil" }, { balancer:pick() })
    balancer:only({ three[3] })
    assert.same({ three[3], "1 nil" }, { balancer:pick() })
    balancer:only()
    assert.same({ three[3], "3 nil" }, { balancer:pick() })
  end)

  it("sees loads as they are now", function()
    local balancer = start([[local e = endpoints[2]
      return nil, table.concat({ e:inflight(), e:latency_ms(), e:failures(), tostring(e:suspect()), endpoints:inflight() }, " ")]])
    assert.equal("0 0 0 false 0", see(balancer))
    local load = balancer:load(three[2])
    load.inflight, load.ewma_ns, load.ewma_at_ns = 7, 2500000, 2 ^ 62
    load.recent, load.recent_at_ns = 3, 2 ^ 62
    balancer:load(three[1]).inflight = 2
    assert.equal("7 2.5 3 false 9", see(balancer))
    balancer:update({ three[2], three[3], { three[1], suspect = true } })
    assert.equal("7 2.5 3 false 9", see(balancer))
    balancer:update({ { three[1], suspect = true }, "10.0.0.0:0" })
    assert.equal("2 0 0 true 2", see(balancer))
  end)

  it("holds loads as long as it knows their endpoints", function()
    local balancer, code = start("return endpoints[1]", "update = function(self, endpoints) if #endpoints == 1 then error('few') end end,")
    assert.equal(0, code)
    -- Once for the handle, and once for versions to come.
    assert.same({ 2, 2 }, { balancer:load(three[1]).holders, balancer:load(three[3]).holders })
    balancer:update({ three[1], three[2] })
    assert.same({ 2, 0 }, { balancer:load(three[1]).holders, balancer:load(three[3]).holders })
    assert.equal(s.ESCRIPT, balancer:update({ three[1] }))
    assert.equal(1, balancer:load(three[1]).holders)
    balancer:update(three)
    balancer:free()
    assert.equal(0, balancer:load(three[2]).holders)
  end)

  it("learns what a call would wait", function()
    local balancer = start("return nil, tostring(endpoints[1]:wait_ms())")
    balancer:update({ { three[1], weight = 2 } })
    assert.equal("0", see(balancer))
    local load = balancer:load(three[1])
    load.inflight = 1
    assert.equal("1000000000", see(balancer))
    load.ewma_ns, load.ewma_at_ns = 4000000, 2 ^ 62
    assert.equal("4", see(balancer))
    load.recent, load.recent_at_ns = 2, 2 ^ 62
    assert.equal("12", see(balancer))
  end)

  it("draws two endpoints, and finds the least loaded", function()
    local balancer = start("local one, other = endpoints:draw() return one, other and other:address() or ''")
    local pairs_seen = {}
    for _ = 1, 600 do
      local one, other = balancer:pick()
      assert.not_equal(one, other)
      pairs_seen[one .. other] = (pairs_seen[one .. other] or 0) + 1
    end
    for _, one in ipairs(three) do
      for _, other in ipairs(three) do
        if one ~= other then
          assert.near(100, pairs_seen[one .. other], 50)
        end
      end
    end
    balancer:only({ three[2] })
    assert.same({ three[2], "" }, { balancer:pick() })
    balancer:update({})
    assert.same({ nil, s.ENOTFOUND }, { (balancer:pick()), (select(2, balancer:pick())) })
  end)

  it("hears how calls ended", function()
    local balancer = start(
      "return endpoints[1], self.heard",
      [[done = function(self, request, endpoint, outcome)
        self.heard = table.concat({ request:method(), tostring(endpoint), outcome.status, tostring(outcome.failed),
          outcome.latency_ms, outcome.bytes }, " ")
      end,]]
    )
    assert.is_true(balancer:wants_done())
    balancer:done(three[2], { status = 14, failed = true, latency_ns = 1500000, bytes = 20 })
    assert.same({ three[1], "Place 10.0.0.2:2 14 true 1.5 20" }, { balancer:pick() })
    balancer:done("10.9.9.9:9")
    assert.same({ three[1], "Place nil 0 false 0 0" }, { balancer:pick() })
    assert.equal(0, errors())
  end)

  it("whose done raises is counted", function()
    local balancer = start("return endpoints[1]", "done = function(self) error('in done') end,")
    balancer:done(three[1])
    assert.equal(1, errors())
    assert.truthy(select(2, script:notices()):find("in done", 1, true))
  end)

  it("has no done unless it declares one", function()
    assert.is_false(start("return endpoints[1]"):wants_done())
  end)

  it("uses no handle after its end", function()
    local balancer = start(
      "return endpoints[1]",
      [[update = function(self, endpoints)
          self.said = self.endpoints and tostring(select(2, pcall(function() return #self.endpoints end)))
            .. tostring(select(2, pcall(self.first.inflight, self.first)))
            .. tostring(select(2, pcall(self.view.only, self.view, {})))
          self.endpoints, self.first, self.view = endpoints, endpoints[1], endpoints:only({ endpoints[1] })
          if self.said then error(self.said) end
        end,]]
    )
    balancer:pick()
    assert.equal(s.ESCRIPT, balancer:update(three))
    collectgarbage()
    local _, text = script:notices()
    for _, words in ipairs({
      "these peers are used after their end",
      "this endpoint is used after its end",
      "these endpoints are used after their end",
    }) do
      assert.truthy(text:find(words, 1, true), text)
    end
  end)

  it("whose update fails picks nothing until one succeeds", function()
    local balancer, code = start("return endpoints[1]", "update = function(self) self.n = (self.n or 0) + 1 if self.n == 1 then error('first') end end,")
    assert.equal(s.ESCRIPT, code)
    assert.equal(1, errors())
    assert.equal(s.ESCRIPT, (select(2, balancer:pick())))
    assert.equal(1, errors())
    assert.equal(0, balancer:update(three))
    assert.equal(three[1], (balancer:pick()))
  end)

  it("is stopped when it runs on, and may not wait", function()
    local balancer = start("if request:attempt() == 2 then while true do pcall(error) end end coroutine.yield() return endpoints[1]")
    assert.equal(s.ESCRIPT, (select(2, balancer:pick())))
    balancer.request.attempt = 2
    assert.equal(s.ESCRIPT, (select(2, balancer:pick())))
    assert.truthy(select(2, script:notices()):find("budget of", 1, true))
  end)

  it("can be used by another one", function()
    script = s.script({
      ["balancer/b.lua"] = [[local policy = require("perigee.policy")
        return policy.balancer({ name = "b",
          new = function(options) return { inner = policy.use("balancer", "inner") } end,
          update = function(self, endpoints) self.inner:update(endpoints:only({ endpoints[2], endpoints[3] })) end,
          pick = function(self, request, endpoints) return self.inner:pick(request, endpoints) end })]],
      ["balancer/inner.lua"] = [[local policy = require("perigee.policy")
        return policy.balancer({ name = "inner",
          update = function(self, endpoints) self.count = #endpoints end,
          pick = function(self, request, endpoints) return endpoints[2], self.count .. " " .. request:service() end })]],
    })
    local balancer = assert(balancers.make(script, "b"))
    assert.equal(0, balancer:update(three))
    assert.same({ three[2], "2 orders.v1.Orders" }, { balancer:pick() })
  end)

  it("is refused when it is wrong", function()
    script = s.script({})
    local balancer, code, words = balancers.make(script, "none")
    assert.is_nil(balancer)
    assert.equal(s.ENOTFOUND, code)
    assert.truthy(words:find('there is no balancer "none"', 1, true), words)
  end)
end)
