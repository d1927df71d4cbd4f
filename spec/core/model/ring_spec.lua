local support = require("spec.core.model.ring_support")
local C = support.C

describe("peri_ring_new", function()
  local origin = { "127.0.0.1:10000", "127.0.0.1:10001", "127.0.0.1:9999" }

  it("agrees with the original ring on every golden key", function()
    local owner = support.ring(C.PERI_RING_CRC32, 50, origin)
    local golden = {
      ["Tom"] = 10000, ["Jack"] = 9999, ["Sam"] = 10000, ["张三"] = 9999,
      ["李四"] = 10001, ["王五"] = 10000, ["user:0"] = 10001,
      ["user:1"] = 9999, ["user:42"] = 10000, ["key-0"] = 9999,
      ["key-199"] = 9999,
    }
    for key, port in pairs(golden) do
      assert.equal("127.0.0.1:" .. port, owner(key), key)
    end
  end)

  it("agrees with groupcache-go v3 on every golden key", function()
    local names = { "a.svc.local", "b.svc.local", "c.svc.local" }
    local owner = support.ring(C.PERI_RING_FNV, 512, names)
    assert.equal("a.svc.local", owner("Bob"))
    assert.equal("b.svc.local", owner("Johnny"))
    assert.equal("c.svc.local", owner("Rick"))
  end)

  it("takes no replicas as the family's 50", function()
    local fifty = support.ring(C.PERI_RING_CRC32, 50, origin)
    local default = support.ring(C.PERI_RING_CRC32, 0, origin)
    assert.equal(0, (support.moved(fifty, default, 2000)))
  end)

  it("gives every key to the only node, whatever the kind", function()
    for kind = 1, 4 do
      local owner = support.ring(kind, 50, { "10.0.0.1:1" })
      for _, key in ipairs({ "", "a", "\0", ("x"):rep(10000) }) do
        assert.equal("10.0.0.1:1", owner(key))
      end
    end
  end)

  it("refuses unknown kinds and empty rings", function()
    local out = support.ffi.new("struct peri_ring *[1]")
    assert.equal(C.PERI_EINVAL, C.peri_ring_new(9, 50, support.nodes(origin), 3, out))
    for kind = 1, 4 do
      assert.equal(C.PERI_EINVAL, C.peri_ring_new(kind, 50, nil, 0, out))
    end
    assert.is_true(out[0] == nil)
  end)

  it("does not depend on the order of equal inputs beyond the index", function()
    local reversed = { origin[3], origin[2], origin[1] }
    for kind = 1, 4 do
      if kind ~= C.PERI_RING_MAGLEV then
        local one = support.ring(kind, 50, origin)
        local other = support.ring(kind, 50, reversed)
        assert.equal(0, (support.moved(one, other, 5000)))
      end
    end
  end)
end)
