local s = require("spec.core.script.support")
local equal_peers = require("spec.core.script.peers_support")

local origin = { "127.0.0.1:9999", "127.0.0.1:10000", "127.0.0.1:10001" }

local function picker(kind, argument)
  return ([[
    local policy, ring = require("perigee.policy"), require("perigee.ring")
    return policy.picker({
      name = "mine",
      new = function() return {} end,
      update = function(self, peers)
        self.kept = self.kept or ring.%s(peers%s)
        self.ring = ring.%s(peers%s)
      end,
      pick = function(self, key)
        if key == "stale" then return self.kept:owner(key) end
        return self.ring:owner(key)
      end,
    })]]):format(kind, argument, kind, argument)
end

describe("perigee.ring", function()
  teardown(s.clean)

  local function start(kind, argument, addresses)
    local script = s.script({ ["picker/mine.lua"] = picker(kind, argument or "") })
    local made = assert(script:picker("mine"))
    local peers = equal_peers(addresses or origin)
    assert.equal(0, s.C.script_shim_update(made, peers))
    return script, made, peers
  end

  local function address(peers, index)
    return s.ffi.string(s.C.peri_peers_at(peers, index).address)
  end

  it("gives the golden owners of the original ring as peers", function()
    local script, made, peers = start("crc32", ", 50")
    for key, port in pairs({ Tom = 10000, Jack = 9999, ["李四"] = 10001, ["key-199"] = 9999 }) do
      local code, index = script:pick(made, key)
      assert.equal(0, code)
      assert.equal("127.0.0.1:" .. port, address(peers, index), key)
    end
    script:close()
  end)

  for _, kind in ipairs({ "crc32", "fnv", "maglev", "rendezvous" }) do
    it("picks from " .. kind .. " as C does", function()
      local script, made, peers = start(kind)
      local built = s.ffi.new("const struct peri_ring *[1]")
      local kinds = { crc32 = 1, fnv = 2, maglev = 3, rendezvous = 4 }
      assert.equal(0, s.C.peri_peers_ring(peers, kinds[kind], 0, built))
      for i = 1, 100 do
        local _, index = script:pick(made, "key-" .. i)
        assert.equal(tonumber(s.C.peri_ring_owner(built[0], s.cffi.slice("key-" .. i))), index)
      end
      script:close()
    end)
  end

  it("raises after the end of its peers", function()
    local script, made = start("maglev")
    assert.equal(0, (script:pick(made, "stale")))
    local fresh = equal_peers(origin)
    assert.equal(0, s.C.script_shim_update(made, fresh))
    assert.equal(s.ESCRIPT, (script:pick(made, "stale")))
    local _, notice = script:notices()
    assert.matches("after their end", notice)
    assert.equal(0, (script:pick(made, "Tom")))
    script:close()
  end)

  it("picks quickly", function()
    local script, made = start("crc32")
    assert.is_true(s.C.script_shim_pick_ns(made, "Tom", 20000) < 5000)
    script:close()
  end)

  it("raises for replicas that are none", function()
    for _, argument in ipairs({ ", -1", ", 0.5", ", 70000", ", 'x'" }) do
      local script = s.script({ ["picker/mine.lua"] = picker("crc32", argument) })
      local made = assert(script:picker("mine"))
      assert.equal(s.ESCRIPT, s.C.script_shim_update(made, equal_peers(origin)))
      script:close()
    end
  end)

  it("has nothing to say of no peers", function()
    local script = s.script({ ["picker/mine.lua"] = [[
      local policy, ring = require("perigee.policy"), require("perigee.ring")
      return policy.picker({
        name = "mine",
        new = function() return {} end,
        update = function(_, peers)
          local made, err, name = ring.maglev(peers)
          assert(made == nil and name == "EINVAL" and err == "EINVAL: there are no peers", err)
        end,
        pick = function() end,
      })]] })
    local made = assert(script:picker("mine"))
    assert.equal(0, s.C.script_shim_update(made, equal_peers({})))
    script:close()
  end)
end)
