local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee get", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      groups = {
        text = { fallback = { "static_reply", value = "Grüße" } },
        line = { fallback = { "static_reply", value = "one\n" } },
        bytes = {},
        empty = { fallback = { "static_reply", value = "" } },
        short = { ttl = "1h", fallback = { "static_reply", value = "v" } },
        bare = {},
      },
    }]])
    local set = proc.run(sidecar.binary, { "set", "--target", car.app, "bytes", "k", "-" }, { input = "\0\255" })
    assert.equal(0, set.code, set.err)
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("prints the value, and ends the line", function()
    assert.equal("Grüße\n", car:cli("get", "text", "k").out)
    assert.equal("one\n", car:cli("get", "line", "k").out)
    assert.equal("\0\255\n", car:cli("get", "bytes", "k").out)
    assert.equal("\n", car:cli("get", "empty", "k").out)
  end)

  it("prints JSON", function()
    local got = car:cli("get", "--json", "text", "the key").out
    assert.truthy(got:find('"expire": null', 1, true), got)
    local text = json.decode(got)
    assert.same({ "text", "the key", "Grüße" }, { text.group, text.key, text.value })
    assert.equal("AP8=", json.decode(car:cli("get", "--json", "bytes", "k").out).value_base64)
    local expire = json.decode(car:cli("get", "--json", "short", "k").out).expire
    assert.truthy(math.abs(expire / 1e9 - os.time() - 3600) < 60, expire)
  end)

  it("ends with 1 when nobody can take the value", function()
    for _, out in ipairs({ "/dev/full", "&-" }) do
      local script = ("exec '%s' get --target '%s' text k >%s"):format(sidecar.binary, car.app, out)
      local got = proc.run("/bin/sh", { "-c", script })
      assert.equal(1, got.code, out)
      assert.truthy(got.err:find("cannot write the answer", 1, true), got.err)
    end
  end)

  it("ends with 4 when there is no such value or group", function()
    for _, group in ipairs({ "bare", "nowhere" }) do
      local got = car:cli("get", group, "k")
      assert.equal(4, got.code)
      assert.equal("", got.out)
      assert.truthy(got.err:find("NOT_FOUND", 1, true), got.err)
    end
  end)

  it("ends with 1 for other failures", function()
    local got = car:cli("get", "text", "")
    assert.equal(1, got.code)
    assert.truthy(got.err:find("INVALID_ARGUMENT", 1, true), got.err)
    local closed = proc.run("/bin/sh", { "-c", '"$0" get --target "$1" text k >/dev/full', sidecar.binary, car.app })
    assert.equal(1, closed.code)
    assert.truthy(closed.err:find("cannot write", 1, true), closed.err)
  end)
end)
