local balancers = require("spec.core.script.balancer_support")
local s = balancers.s

describe("a view of endpoints", function()
  local script
  after_each(function()
    balancers.close(script)
    s.clean()
  end)

  local four = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1" }
  -- What `expression` is in a pick, where `view` shows the second, third and fourth endpoint.
  local function see(expression, open)
    script = s.script({
      ["balancer/b.lua"] = ([[
        local function list(endpoints)
          local all = {}
          for i = 1, #endpoints do all[i] = endpoints[i]:address():match("%%.(%%d+):") end
          return table.concat(all, " ")
        end
        return require("perigee.policy").balancer({ name = "b",
          update = function(self, endpoints)
            self.all = { endpoints[1], endpoints[2], endpoints[3], endpoints[4] }
            self.view = endpoints:only({ endpoints[4], endpoints[2], endpoints[3], endpoints[2] })
          end,
          pick = function(self, request, endpoints)
            local view = self.view
            return nil, tostring(%s)
          end })]]):format(expression),
    })
    local balancer = assert(balancers.make(script, "b"))
    assert.equal(0, balancer:update(four))
    for i, address in ipairs(four) do
      balancer:load(address).inflight = i
    end
    balancer:only(open)
    local _, code, words = balancer:pick()
    return code == s.ENOTFOUND and words or select(2, script:notices())
  end

  it("shows its members in order, once", function()
    assert.equal("2 3 4", see("list(view)"))
  end)

  it("leaves out what was tried", function()
    assert.equal("2 4", see("list(view)", { four[1], four[2], four[4] }))
  end)

  it("may show nothing", function()
    assert.equal("0 nil", see("#view .. ' ' .. tostring(view[1])", { four[1] }))
    balancers.close(script)
    assert.equal("0", see("#endpoints:only({})"))
  end)

  it("shows everything again afterwards", function()
    script = nil
    local words = see("list(view) .. '|' .. list(view:only({ self.all[1], self.all[4] }))", { four[3], four[4] })
    assert.equal("3 4|4", words)
  end)

  it("has the same endpoints", function()
    assert.equal("true", see("view[1] == self.all[2] and view[3] == self.all[4]"))
  end)

  it("has nothing at other places", function()
    assert.equal("nil nil nil nil nil", see("table.concat({ tostring(view[0]), tostring(view[4]), tostring(view[1.5]), tostring(view[1e300]), tostring(view.x) }, ' ')"))
  end)

  it("sums, draws and finds the least loaded", function()
    assert.equal("9", see("view:inflight()"))
    balancers.close(script)
    assert.equal("10.0.0.2:1", see("view:least_inflight():address()"))
    balancers.close(script)
    assert.equal("10.0.0.3:1 nil", see("view:draw():address() .. ' ' .. tostring(select(2, view:draw()))", { four[1], four[3] }))
    balancers.close(script)
    assert.equal("orders", see("view:service()"))
  end)

  it("takes endpoints only", function()
    assert.truthy(see("endpoints:only({ 5 })"):find("element 1 is none of these endpoints", 1, true))
    balancers.close(script)
    assert.truthy(see("endpoints:only(5)"):find("table expected", 1, true))
  end)

  it("takes an endpoint named many times once", function()
    assert.equal("2 4", see([[(function()
      local names = {}
      for i = 1, 1000 do names[i] = self.all[i % 2 == 0 and 2 or 4] end
      return list(endpoints:only(names))
    end)()]]))
  end)
end)
