local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("three sidecars", function()
  local origin, ports, cars

  --- A sidecar whose peers are the ports named; `self` is its own. An owner that is
  --- only slow must not be passed over, but for the group `brief`.
  local function config(self, peers)
    local endpoints = {}
    for _, port in ipairs(peers) do
      endpoints[#endpoints + 1] = ('{ address = "127.0.0.1:%d" }'):format(port)
    end
    return ([[
      return {
        workers = 2,
        node = { address = "127.0.0.1:SELF" },
        listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:SELF", admin = "127.0.0.1:0" },
        registry = { kind = "static", services = { GroupCache = { PEERS } } },
        groups = {
          count = { fallback = { "http_origin", url = "http://ORIGIN/count/{key}", timeout = "50s", connect_timeout = "20s" }, peer_timeout = "60s" },
          brief = { fallback = { "http_origin", url = "http://ORIGIN/count/brief-{key}" }, peer_timeout = "2s" },
          slow = { fallback = { "http_origin", url = "http://ORIGIN/slowcount/1000/{key}", timeout = "50s", connect_timeout = "20s" }, peer_timeout = "60s" },
          fnv = { picker = "ring_fnv", fallback = { "http_origin", url = "http://ORIGIN/count/fnv-{key}", timeout = "50s", connect_timeout = "20s" }, peer_timeout = "60s" },
          maglev = { picker = "maglev", fallback = { "http_origin", url = "http://ORIGIN/count/maglev-{key}", timeout = "50s", connect_timeout = "20s" }, peer_timeout = "60s" },
          rendezvous = { picker = "rendezvous", fallback = { "http_origin", url = "http://ORIGIN/count/rdv-{key}", timeout = "50s", connect_timeout = "20s" }, peer_timeout = "60s" },
          none = { peer_timeout = "60s" },
        },
      }
    ]]):gsub("SELF", self):gsub("PEERS", table.concat(endpoints, ", ")):gsub("ORIGIN", origin.address)
  end

  local function start(index, peers)
    cars[index] = sidecar.start(config(ports[index], peers or ports), nil)
    return cars[index]
  end

  local function apps()
    return cars[1].app .. "," .. cars[2].app .. "," .. cars[3].app
  end

  local function counts(prefix)
    local total, most = 0, 0
    for path, count in pairs(origin.counts()) do
      if path:sub(1, #prefix) == prefix then
        total = total + count
        most = math.max(most, count)
      end
    end
    return total, most
  end

  setup(sidecar.setup)

  before_each(function()
    origin = sidecar.origin()
    ports, cars = {}, {}
    for i = 1, 3 do
      ports[i] = proc.free_port()
    end
  end)

  after_each(function()
    proc.destroy_all()
  end)

  teardown(sidecar.teardown)

  it("loads each key once among all three, on its owner", function()
    for i = 1, 3 do
      start(i)
    end
    for _, group in ipairs({ "count", "fnv", "maglev", "rendezvous" }) do
      local storm = sidecar.client({ "storm", "-target", apps(), "-group", group, "-key", "key-", "-keys", "200", "-n", "1800" })
      assert.same({ OK = 1800 }, storm.codes)
      assert.same({ ["1"] = 1800 }, storm.values)
    end
    local total, most = counts("/count/")
    assert.equal(800, total)
    assert.equal(1, most)
  end)

  it("causes one origin load for 10,000 callers of one cold key", function()
    for i = 1, 3 do
      start(i)
    end
    local storm = sidecar.client({ "storm", "-target", apps(), "-conns", "4", "-group", "slow", "-key", "hot", "-n", "10000", "-timeout", "60s" }, 90000)
    assert.same({ OK = 10000 }, storm.codes)
    assert.equal(1, origin.counts()["/slowcount/1000/hot"])
  end)

  it("agrees with the original ring about owners", function()
    ports = { 29999, 30000, 30001 }
    for i = 1, 3 do
      start(i)
    end
    for i = 1, 3 do
      local peers = cars[i]:cli("peers", "--json")
      assert.equal(0, peers.code, peers.err)
      for _, port in ipairs(ports) do
        assert.truthy(peers.out:find("127.0.0.1:" .. port, 1, true))
      end
    end
  end)

  it("sends set and remove to the owner", function()
    for i = 1, 3 do
      start(i)
    end
    for i = 1, 30 do
      local key = "w" .. i
      assert.equal("OK", cars[1]:call({ verb = "set", group = "count", key = key, value = "set" }).code)
      assert.equal("set", cars[2]:call({ group = "count", key = key }).value)
      assert.equal("set", cars[3]:call({ group = "count", key = key }).value)
      assert.is_true(cars[2]:call({ verb = "remove", group = "count", key = key }).removed)
      assert.equal("1", cars[3]:call({ group = "count", key = key }).value)
    end
    local keys = {}
    for i = 1, 30 do
      keys[i] = "w" .. i
    end
    local removed = cars[1]:call({ verb = "removekeys", group = "count", key = table.concat(keys, ",") })
    assert.equal("OK", removed.code)
    assert.is_nil(removed.failed)
    for i = 1, 30 do
      assert.equal("2", cars[2]:call({ group = "count", key = "w" .. i }).value)
    end
  end)

  it("gets a thousand keys in one call, each loaded once by its owner", function()
    for i = 1, 3 do
      start(i)
    end
    local keys = {}
    for i = 1, 1000 do
      keys[i] = "b" .. i
    end
    for _, car in ipairs(cars) do
      local got = car:call({ verb = "batch", group = "count", key = table.concat(keys, ","), timeout = "60s" })
      assert.equal("OK", got.code, got.message)
      assert.equal(1000, #got.items)
      for i, item in ipairs(got.items) do
        assert.equal(keys[i], item.key)
        assert.equal(0, item.code or 0)
        assert.equal("1", item.value)
      end
    end
    local total, most = counts("/count/b")
    assert.equal(1000, total)
    assert.equal(1, most)
  end)

  it("says that a dead owner could not be told, and keeps nothing instead", function()
    for i = 1, 3 do
      start(i)
    end
    local keys, own = {}, {}
    for i = 1, 40 do
      keys[i] = "x" .. i
      assert.equal("OK", cars[1]:call({ verb = "set", group = "none", key = keys[i], value = "v" }).code)
    end
    cars[3].process:destroy()
    local lost = {}
    for i = 1, 40 do
      local set = cars[1]:call({ verb = "set", group = "none", key = keys[i], value = "w" })
      own[i] = set.code == "OK"
      if not own[i] then
        lost[#lost + 1] = keys[i]
        assert.equal("Unavailable", set.code)
        assert.truthy(set.message:find("owner 127.0.0.1:" .. ports[3], 1, true), set.message)
        for car = 1, 2 do
          assert.equal("NotFound", cars[car]:call({ verb = "peek", group = "none", key = keys[i] }).code)
        end
      end
    end
    assert.truthy(#lost > 0 and #lost < 40)
    local got = cars[2]:call({ verb = "batch", group = "none", key = table.concat(keys, ",") })
    assert.equal("OK", got.code)
    for i, item in ipairs(got.items) do
      assert.equal(own[i] and "w" or "", item.value or "")
      assert.equal(own[i] and 0 or 14, item.code or 0)
    end
    assert.same(lost, cars[2]:call({ verb = "removekeys", group = "none", key = table.concat(keys, ",") }).failed)
  end)

  it("passes on that the owner has no such value", function()
    for i = 1, 3 do
      start(i)
    end
    for i = 1, 12 do
      assert.equal("NotFound", cars[1]:call({ group = "none", key = "k" .. i }).code)
    end
  end)

  it("asks the fallback when an owner is dead, and keeps nothing of it", function()
    for i = 1, 3 do
      start(i)
    end
    cars[3].process:destroy()
    for i = 1, 30 do
      assert.equal("1", cars[1]:call({ group = "count", key = "d" .. i }).value)
    end
    local again = 0
    for i = 1, 30 do
      if cars[1]:call({ group = "count", key = "d" .. i }).value == "2" then
        again = again + 1
      end
    end
    assert.truthy(again > 0 and again < 30, again)
  end)

  it("does not hang on an owner that is frozen", function()
    for i = 1, 3 do
      start(i)
    end
    cars[3].process:kill("sigstop")
    for i = 1, 6 do
      local got = cars[1]:call({ group = "brief", key = "f" .. i })
      assert.equal("OK", got.code, got.message)
      assert.truthy(got.millis < 4000 * proc.patience, got.millis)
    end
    cars[3].process:kill("sigcont")
  end)

  it("never loops when their lists of peers differ", function()
    start(1, { ports[1], ports[2] })
    start(2, { ports[2], ports[3] })
    start(3, { ports[3], ports[1] })
    local storm = sidecar.client({ "storm", "-target", apps(), "-group", "count", "-key", "loop-", "-keys", "60", "-n", "600", "-timeout", "10s" })
    assert.same({ OK = 600 }, storm.codes)
    local _, most = counts("/count/loop-")
    assert.truthy(most <= 3, most)
  end)

  it("honours the hop only on the mesh listener, and writes there only as a hop", function()
    for i = 1, 3 do
      start(i)
    end
    local hop = { group = "none", verb = "set", value = "v", metadata = "perigee-hop=1" }
    for i = 1, 12 do
      hop.key = "h" .. i
      hop.to = "mesh"
      assert.equal("OK", cars[1]:call(hop).code)
      assert.equal("v", cars[1]:call({ verb = "peek", group = "none", key = hop.key }).value)
    end
    assert.equal("Unimplemented", cars[1]:call({ verb = "set", to = "mesh", group = "none", key = "k", value = "v" }).code)
    assert.equal("Unimplemented", cars[1]:call({ verb = "raw", to = "mesh", path = "/perigee.v1.Mesh/Stats", body = "" }).code)
    local kept = 0
    for i = 1, 12 do
      cars[1]:call({ verb = "set", group = "none", key = "a" .. i, value = "v", metadata = "perigee-hop=1" })
      if cars[1]:call({ verb = "peek", group = "none", key = "a" .. i }).code == "OK" then
        kept = kept + 1
      end
    end
    assert.truthy(kept < 12, "the hop counted on the app listener")
  end)

  it("learns of changed peers from the configuration file", function()
    start(1, { ports[1] })
    start(2, { ports[1], ports[2] })
    assert.is_nil(cars[1]:cli("peers").out:find(":" .. ports[2], 1, true))
    proc.write(cars[1].file, config(ports[1], { ports[1], ports[2] }))
    cars[1].process:kill("sighup")
    proc.await("the new peer", 10000, function()
      return cars[1]:cli("peers").out:find(":" .. ports[2], 1, true)
    end)
    proc.write(cars[1].file, "return {")
    cars[1].process:kill("sighup")
    cars[1].process:await_err("perigee%-%d+%.lua")
    assert.truthy(cars[1]:cli("peers").out:find(":" .. ports[2], 1, true))
    assert.equal("1", cars[1]:call({ group = "count", key = "after" }).value)
  end)
end)
