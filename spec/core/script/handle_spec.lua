local s = require("spec.core.script.support")

describe("handles of peers", function()
  after_each(s.clean)

  -- A picker whose pick evaluates `expression` and raises with what it is.
  local function see(expression, rounds)
    local script = s.script({
      ["picker/p.lua"] = ([[
        return require("perigee.policy").picker({
          name = "p",
          update = function(self, peers)
            self.old = self.peers
            self.old_first = self.first
            self.peers = peers
            self.first = peers[1]
          end,
          pick = function(self, key, peers)
            error(tostring(%s), 0)
          end,
        })]]):format(expression),
    })
    local picker = assert(script:picker("p"))
    for _ = 1, rounds or 1 do
      assert.equal(0, s.C.script_shim_update(picker, s.peers({ "10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3" }, "10.0.0.2:2")))
      collectgarbage()
    end
    assert.equal(s.ESCRIPT, (script:pick(picker, "k")))
    local _, text = script:notices()
    script:close()
    return text:match("^picker p: ([^\n]*)")
  end

  it("count and index", function()
    assert.equal("3", see("#peers"))
    assert.equal("10.0.0.1:1", see("peers[1]:address()"))
    assert.equal("10.0.0.3:3", see("peers[3]:address()"))
    for _, index in ipairs({ "0", "4", "-1", "1.5", "1e300", "0/0" }) do
      assert.equal("nil", see(("peers[%s]"):format(index)))
    end
    assert.equal("orders", see("peers:service()"))
    assert.equal("nil", see("peers.nothing"))
  end)

  it("show endpoints", function()
    assert.equal("zone-a", see("peers[1]:zone()"))
    assert.equal("2", see("peers[2]:weight()"))
    assert.equal("r1", see("peers[1]:metadata('rack')"))
    assert.equal("2", see("peers[1]:metadata('tags')[2]"))
    assert.equal("nil", see("peers[1]:metadata('none')"))
    assert.equal("r1", see("peers[1]:metadata().rack"))
    assert.equal("false true", see("tostring(peers[1]:self()) .. ' ' .. tostring(peers[2]:self())"))
    assert.equal("10.0.0.1:1", see("peers[1]"))
    assert.equal("peers of orders", see("peers"))
    assert.equal("true", see("peers[1] == peers[1] and self.peers == peers and self.first == peers[1]"))
  end)

  it("keep their metatables", function()
    assert.equal("perigee.peers", see("getmetatable(peers)"))
    assert.equal("perigee.endpoint", see("getmetatable(peers[1])"))
  end)

  it("raise after their end", function()
    assert.truthy(see("#self.old", 2):find("these peers are used after their end", 1, true))
    assert.truthy(see("self.old[1]", 2):find("these peers are used after their end", 1, true))
    assert.truthy(see("self.old_first:address()", 2):find("this endpoint is used after its end", 1, true))
    assert.equal("endpoint (ended)", see("self.old_first", 2))
    assert.equal("peers of (ended)", see("self.old", 2))
  end)

  it("of a picker raise where only a balancer's have an answer", function()
    for _, expression in ipairs({
      "peers:inflight()", "peers:draw()", "peers:least_inflight()", "peers:only({ peers[1] })",
      "peers[1]:inflight()", "peers[1]:latency_ms()", "peers[1]:failures()", "peers[1]:wait_ms()", "peers[1]:suspect()",
    }) do
      assert.truthy(see(expression):find("only a balancer's endpoints have a load, and can be drawn", 1, true), expression)
    end
  end)

  it("raise for other values", function()
    assert.truthy(see("peers[1].address(peers)"):find("perigee.endpoint expected", 1, true))
    assert.truthy(see("peers[1].address(5)"):find("perigee.endpoint expected", 1, true))
    assert.truthy(see("peers[1].address()"):find("perigee.endpoint expected", 1, true))
  end)
end)
