local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee explain", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 2,
      listen = { app = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = { canary = { { address = "127.0.0.1:1", metadata = { version = "2", api_key = "hidden" } } }, byhost = { { address = "127.0.0.1:2" } } } },
      routes = { { match = { service = "orders.*", header = { ["x-env"] = "canary" } }, to = "canary" } },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("tells where a call would go, in words", function()
    local got = car:cli("explain", "orders.v1.Orders/Get", "--header", "X-Env=canary")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find('^orders.v1.Orders/Get  attempt 1\n  route 1 matched: service "orders.%*", header x%-env = "canary"\n  %-> service canary\n'), got.out)
    assert.truthy(got.out:find("\n  nothing was sent\n$"), got.out)
    got = car:cli("explain", "/orders.v1.Orders/Get")
    assert.truthy(got.out:find("  no route matches; ", 1, true), got.out)
    got = car:cli("explain", "x/y", "--authority", "byhost:80")
    assert.truthy(got.out:find("  -> service byhost\n", 1, true), got.out)
  end)

  it("tells what a Get would do", function()
    local got = car:cli("explain", "g", "a/b")
    assert.truthy(got.out:find('^group g, key "a/b"\n  not in the cache here\n'), got.out)
    got = car:cli("explain", "none", "k")
    assert.equal(4, got.code)
    assert.truthy(got.err:find("group none not found", 1, true), got.err)
  end)

  it("lists what was decided", function()
    assert.equal(0, car:cli("get", "g", "listed").code)
    local got = car:cli("explain")
    assert.truthy(got.out:find("^AGE +WHAT +CHOSEN +BY +ENDED +WHY\n"), got.out)
    assert.truthy(got.out:find(" g listed ", 1, true), got.out)
  end)

  local function keys(object)
    local list = {}
    for key in pairs(object) do
      list[#list + 1] = key
    end
    table.sort(list)
    return table.concat(list, " ")
  end

  it("prints JSON", function()
    local one = json.decode(car:cli("explain", "--json", "orders.v1.Orders/Get", "--header=x-env=canary").out)
    assert.equal("orders.v1.Orders/Get", one.subject)
    assert.equal(1, one.route)
    assert.equal("127.0.0.1:1", one.candidates[1].address)
    assert.is_true(one.candidates[1].chosen)
    assert.same({}, one.missed)
    assert.equal("after age_ms at_ns attempt candidates candidates_more chosen elapsed_ns found key kind missed missed_more older outcome policy reason route "
      .. "service status subject text took_ns trouble version weight weights worker", keys(one))
    assert.equal("address chosen failures inflight latency_ns metadata self suspect tried weight zone", keys(one.candidates[1]))
    assert.same({ version = "2" }, one.candidates[1].metadata)
    assert.equal(0, car:cli("get", "g", "json").code)
    assert.equal(keys(one), keys(json.decode(car:cli("explain", "--json", "g", "json").out)))
    local list, found = json.decode(car:cli("explain", "--json").out), false
    for _, each in ipairs(list) do
      found = found or each.key == "json"
    end
    assert.is_true(found)
  end)

  it("ends with 2 when it cannot be meant", function()
    for _, words in ipairs({ { "orders" }, { "/Get" }, { "orders/" }, { "a", "b", "c" } }) do
      assert.equal(2, car:cli("explain", unpack(words)).code)
    end
  end)
end)
