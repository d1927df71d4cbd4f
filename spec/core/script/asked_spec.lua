local balancers = require("spec.core.script.balancer_support")
local s = balancers.s

describe("a balancer's request", function()
  local script, balancer
  after_each(function()
    balancers.close(script)
    s.clean()
  end)

  local function start(expression)
    script = s.script({
      ["balancer/b.lua"] = ([[return require("perigee.policy").balancer({ name = "b",
        update = function(self)
          if self.request then self.late = tostring(select(2, pcall(self.request.method, self.request))) end
        end,
        pick = function(self, request, endpoints)
          self.request = request
          return nil, tostring(%s)
        end })]]):format(expression),
    })
    balancer = assert(balancers.make(script, "b"))
    assert.equal(0, balancer:update({ "10.0.0.1:1" }))
  end
  local function see()
    local _, code, words = balancer:pick()
    return code == s.ENOTFOUND and words or select(2, script:notices())
  end

  it("shows what is called", function()
    start("request:service() .. '/' .. request:method() .. ' ' .. request:attempt()")
    balancer.request.attempt = 3
    assert.equal("orders.v1.Orders/Place 3", see())
  end)

  it("shows headers", function()
    start("tostring(request:header('x-user')) .. ' ' .. tostring(request:header('x-none'))")
    assert.equal("nil nil", see())
    balancer:header("x-user", "tom")
    assert.equal("tom nil", see())
  end)

  it("shows the milliseconds left", function()
    start("request:deadline_ms()")
    assert.equal("nil", see())
    balancer.request.deadline_ns = 1
    assert.equal("0", see())
    balancer.request.deadline_ns = 2 ^ 62
    assert.is_true(tonumber(see()) > 1e6)
  end)

  it("shows fields of the body", function()
    start("tostring(request:field('1')) .. ' ' .. tostring(request:field('2.1'))")
    assert.equal("nil nil", see())
    balancer:body("\0\0\0\0\9\10\3tom\18\2\8\42")
    assert.equal("tom 42", see())
  end)

  it("raises for what is no path", function()
    start("request:field('name')")
    assert.truthy(see():find('a field path such as "1.2" is expected', 1, true))
  end)

  it("raises after its end", function()
    start("self.late")
    see()
    assert.equal(0, balancer:update({ "10.0.0.1:1" }))
    assert.truthy(see():find("this request is used after its end", 1, true))
  end)

  it("keeps its metatable", function()
    start("getmetatable(request)")
    assert.equal("perigee.call", see())
  end)
end)
