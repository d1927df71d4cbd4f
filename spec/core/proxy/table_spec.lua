local M = require("spec.core.proxy.rig")

describe("proxy/table", function()
  local rig
  after_each(function()
    if rig then
      rig.free()
      rig = nil
    end
  end)

  it("makes the balancers of all routes at once", function()
    rig = M.rig({
      config = '{"routes":[{"match":{"method":"A"},"to":"a","balancer":["x"]},{"match":{"method":"B"},"to":"b"},'
        .. '{"match":{"method":"C"},"to":"b"},{"match":{"method":"D"},"to":"a","balancer":["y"]}]}',
    })
    -- Those of a, twice, of b, and the one that is kept for other services.
    assert.equal(4, rig.ptr.policy.made)
  end)

  it("says which balancer cannot be made", function()
    local none, words, code = M.rig({ config = '{"routes":[{"match":{},"to":"a","balancer":["unmakeable"]}]}' })
    assert.is_nil(none)
    assert.equal(M.C.PERI_ESCRIPT, code)
    assert.equal("routes[1].balancer: unmakeable: it does not load", words)
    none, words = M.rig({ config = '{"balancer":["unmakeable"]}' })
    assert.is_nil(none)
    assert.equal("balancer: unmakeable: it does not load", words)
  end)

  it("sends to fixed addresses", function()
    local address = M.address()
    rig = M.rig({ config = ('{"routes":[{"match":{},"to":{"address":"%s"}}]}'):format(address) })
    local backend = rig.backend(0, address)
    rig.publish("other 127.0.0.1:1")
    assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
    assert.equal(1, backend.requests)
    assert.equal(1, rig.ptr.policy.picks)
  end)
end)
