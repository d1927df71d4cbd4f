local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee set and remove", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = { g = { bytes = "64MiB" } } }')
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  local function get(key)
    return car:cli("get", "g", key).out
  end

  it("store what stands on the command line", function()
    local got = car:cli("set", "g", "k", "hello")
    assert.same({ 0, "", "" }, { got.code, got.out, got.err })
    assert.equal("hello\n", get("k"))
    assert.equal(0, car:cli("set", "g", "k", "").code)
    assert.equal("\n", get("k"))
    assert.equal(0, car:cli("set", "g", "--", "k", "-5").code)
    assert.equal("-5\n", get("k"))
  end)

  it("store what comes on standard input", function()
    local large = ("\0x\255\n"):rep(50000)
    for _, bytes in ipairs({ "", "from\0stdin", large }) do
      local got = proc.run(sidecar.binary, { "set", "--target", car.app, "g", "p", "-" }, { input = bytes })
      assert.equal(0, got.code, got.err)
      local back = get("p")
      assert.is_true(back == bytes or back == bytes .. "\n", #back)
    end
  end)

  it("let a value live as long as asked", function()
    assert.equal(0, car:cli("set", "--ttl", "2h", "g", "t", "v").code)
    local expire = json.decode(car:cli("get", "--json", "g", "t").out).expire
    assert.truthy(math.abs(expire / 1e9 - os.time() - 7200) < 60, expire)
  end)

  it("remove one key or many, there or not", function()
    for _, key in ipairs({ "a", "b", "c" }) do
      car:cli("set", "g", key, "v")
    end
    assert.equal(0, car:cli("remove", "g", "a").code)
    assert.equal(0, car:cli("remove", "g", "b", "c", "never").code)
    for _, key in ipairs({ "a", "b", "c" }) do
      assert.equal(4, car:cli("get", "g", key).code)
    end
  end)

  it("name what went wrong", function()
    assert.equal(4, car:cli("set", "nowhere", "k", "v").code)
    assert.equal(4, car:cli("remove", "nowhere", "k").code)
    assert.equal(1, car:cli("set", "g", "", "v").code)
    local large = proc.run(sidecar.binary, { "set", "--target", car.app, "g", "l", "-" }, { input = ("x"):rep(5 * 1024 * 1024) })
    assert.equal(1, large.code)
    assert.truthy(large.err:find("RESOURCE_EXHAUSTED", 1, true), large.err)
  end)

  it("name the keys whose owner did not answer", function()
    local alone = sidecar.start(([[return {
      workers = 1,
      node = { address = "127.0.0.1:%d" },
      listen = { app = "127.0.0.1:0", admin = false, mesh = false },
      registry = { kind = "static", services = { GroupCache = { { address = "127.0.0.1:%d" } } } },
      groups = { g = {} },
    }]]):format(proc.free_port(), proc.free_port()))
    local got = alone:cli("remove", "g", "key-1", "key-2")
    assert.equal(1, got.code)
    assert.truthy(got.err:find("key-1 is not removed", 1, true) and got.err:find("key-2 is not removed", 1, true), got.err)
    alone:stop()
  end)
end)
