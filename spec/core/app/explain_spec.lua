local h2raw = require("spec.support.h2raw")
local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee.v1.Mesh/Explain", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 3,
      listen = { app = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = { orders = { { address = "127.0.0.1:1" } } } },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  --- The answer to a request, as JSON, or the exit status and words.
  local function ask(request)
    local got = car:cli("call", "perigee.v1.Mesh/Explain", next(request) and json.encode(request) or "{}")
    if got.code ~= 0 then
      return nil, got.err
    end
    return json.decode(got.out).decisions or {}
  end

  it("tells where a call would go", function()
    local list = ask({ service = "orders", method = "Get" })
    assert.equal(1, #list)
    assert.equal("127.0.0.1:1", list[1].chosen)
    assert.equal("p2c_ewma", list[1].policy)
    assert.equal("nothing was sent", list[1].outcome)
    assert.truthy(list[1].text:find("^orders/Get  attempt 1\n"), list[1].text)
    list = ask({ service = "x", method = "Get", headers = { { name = "perigee-service", value = "orders" } } })
    assert.equal("the header perigee-service names the service", list[1].found)
  end)

  it("tells what a Get would do", function()
    local list = ask({ group = "g", key = "k" })
    assert.equal("key", list[1].kind)
    assert.truthy(list[1].outcome:find("a Get loads it by fallback static_reply", 1, true))
    local _, words = ask({ group = "none", key = "k" })
    assert.truthy(words:find("NOT_FOUND", 1, true) and words:find("group none not found", 1, true), words)
  end)

  it("knows what the sidecar answers itself", function()
    assert.equal("this sidecar answers it itself", ask({ service = "perigee.v1.Mesh", method = "Peers" })[1].outcome)
    assert.truthy(ask({ service = "groupcachepb.GroupCache", method = "Get" })[1].outcome:find("cache answers it", 1, true))
  end)

  it("shows the last decisions of all workers", function()
    local asked, seen, workers, held = 0, {}, {}, {}
    -- A connection goes to the worker that has fewest.
    proc.await("decisions of all workers", 20000, function()
      asked = asked + 1
      assert.equal("v\n", car:cli("get", "g", "k" .. asked).out)
      local list = ask({})
      for i, each in ipairs(list) do
        if each.key then
          seen[each.key] = true
          workers[each.worker or 0] = true
        end
        assert.is_true(i == 1 or tonumber(list[i - 1].atNs) <= tonumber(each.atNs))
      end
      if #held < 30 then
        held[#held + 1] = h2raw.dial(car.app)
      end
      return workers[0] and workers[1] and workers[2]
    end)
    for _, conn in ipairs(held) do
      conn:close()
    end
    for i = 1, asked do
      assert.is_true(seen["k" .. i], "k" .. i)
    end
  end)

  it("refuses half a question", function()
    for _, request in ipairs({ { service = "a" }, { method = "b" }, { group = "g" }, { key = "k" } }) do
      local _, words = ask(request)
      assert.truthy(words:find("INVALID_ARGUMENT", 1, true) and words:find("are required", 1, true), words)
    end
    local _, words = ask({ service = "a", method = "b", group = "g", key = "k" })
    assert.truthy(words:find("a call or a key, not both", 1, true), words)
  end)
end)
