local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("one sidecar", function()
  local origin, perigee

  setup(function()
    sidecar.setup()
    origin = sidecar.origin()
    local config = ([[
      return {
        workers = 2,
        listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
        groups = {
          value = { bytes = "16MiB", fallback = { "http_origin", url = "http://%s/value/{key}", timeout = "30s", connect_timeout = "20s" } },
          count = { bytes = "1MiB", fallback = { "http_origin", url = "http://%s/count/{key}", timeout = "30s", connect_timeout = "20s" } },
          slow = { bytes = "1MiB", fallback = { "http_origin", url = "http://%s/slowcount/700/{key}", timeout = "30s", connect_timeout = "20s" } },
          short = { bytes = "1MiB", ttl = "300ms", fallback = { "http_origin", url = "http://%s/count/short/{key}", timeout = "30s", connect_timeout = "20s" } },
          missing = { bytes = "1MiB", negative_ttl = "400ms", fallback = { "http_origin", url = "http://%s/status/404", timeout = "30s", connect_timeout = "20s" } },
          broken = { bytes = "1MiB", fallback = { "http_origin", url = "http://%s/status/500", timeout = "30s", connect_timeout = "20s" } },
          size = { bytes = "64MiB", fallback = { "http_origin", url = "http://%s/size/{key}", timeout = "30s", connect_timeout = "20s", max_bytes = "8MiB" } },
          hang = { bytes = "1MiB", fallback = { "http_origin", url = "http://%s/hang", timeout = "300ms" } },
          cut = { bytes = "1MiB", fallback = { "http_origin", url = "http://%s/cut", timeout = "2s" } },
          fixed = { fallback = { "static_reply", value = "630" } },
          empty = { fallback = { "static_reply", value = "" } },
          bare = {},
        },
      }
    ]]):gsub("%%s", origin.address)
    perigee = sidecar.start(config)
  end)

  teardown(function()
    perigee:stop()
    sidecar.teardown()
  end)

  local function get(group, key, more)
    local options = { verb = "get", group = group, key = key }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return perigee:call(options)
  end

  local function code(options)
    return perigee:call(options).code
  end

  it("answers with the bytes of the wire contract", function()
    -- Get{scores→fixed, Tom} and the reply "630", as the reference spells them.
    local got = perigee:call({
      verb = "raw",
      path = "/groupcachepb.GroupCache/Get",
      body = "CgVmaXhlZBIDVG9t", -- 0a 05 "fixed" 12 03 "Tom"
    })
    assert.equal("OK", got.code)
    assert.equal("\10\003630", got.value)
    assert.equal("application/grpc", got.header["content-type"][1])
  end)

  it("loads once and then serves from memory", function()
    assert.equal("value of a", get("value", "a").value)
    assert.equal("value of a", get("value", "a").value)
    assert.equal(1, origin.counts()["/value/a"])
  end)

  it("keeps keys of every kind apart", function()
    for _, key in ipairs({ "张三", "with space", "a/b", "q?x=1&y=%20", ("k"):rep(2000) }) do
      assert.equal("OK", get("fixed", key).code, key)
    end
    assert.equal("value of 张三", get("value", "张三").value)
    assert.equal("value of a b?c", get("value", "a b?c").value)
  end)

  it("names what is missing or wrong", function()
    assert.equal("InvalidArgument", get("", "k").code)
    assert.equal("InvalidArgument", get("fixed", "").code)
    local unknown = get("nowhere", "k")
    assert.equal("NotFound", unknown.code)
    assert.truthy(unknown.message:find("nowhere", 1, true))
    local bad = perigee:call({
      verb = "raw",
      path = "/groupcachepb.GroupCache/Get",
      body = "CgVmaXhlZBICwyg=", -- key c3 28 is not UTF-8
    })
    assert.equal("InvalidArgument", bad.code)
    assert.truthy(bad.message:find("UTF-8", 1, true))
    local garbage = perigee:call({ verb = "raw", path = "/groupcachepb.GroupCache/Get", body = "/////w==" })
    assert.is_true(garbage.code == "InvalidArgument" or garbage.code == "Internal")
    assert.equal("Unimplemented", code({ verb = "raw", path = "/groupcachepb.GroupCache/Nope", body = "" }))
    assert.equal("Unimplemented", code({ verb = "raw", path = "/no.such.Service/Nope", body = "" }))
  end)

  it("tells an empty value from a missing one", function()
    local empty = get("empty", "k")
    assert.equal("OK", empty.code)
    assert.equal("", empty.value)
    assert.equal("NotFound", get("bare", "k").code)
  end)

  it("remembers for a while that a value does not exist", function()
    assert.equal("NotFound", get("missing", "m").code)
    assert.equal("NotFound", get("missing", "m").code)
    assert.equal(1, origin.counts()["/status/404"])
    proc.watch(500)
    assert.equal("NotFound", get("missing", "m").code)
    assert.equal(2, origin.counts()["/status/404"])
  end)

  it("expires by the clock, however often a value is read", function()
    assert.equal("1", get("short", "e").value)
    local again
    for _ = 1, 10 do
      again = get("short", "e").value
      proc.watch(50)
    end
    assert.not_equal("1", again)
    assert.truthy(get("short", "e").expire > 0)
  end)

  it("does not remember a failing, hanging or broken origin", function()
    for _, group in ipairs({ "broken", "hang", "cut" }) do
      local first = get(group, "x")
      assert.not_equal("OK", first.code, group)
      assert.not_equal("NotFound", first.code, group)
      assert.truthy(#first.message > 5, group)
    end
    local before = origin.counts()["/status/500"]
    get("broken", "x")
    assert.equal(before + 1, origin.counts()["/status/500"])
  end)

  it("keeps each waiter's own deadline", function()
    local early = proc.start(sidecar.client_binary, {
      "call", "-target", perigee.app, "-group", "slow", "-key", "d", "-timeout", "150ms",
    })
    local late = get("slow", "d")
    early:wait()
    assert.truthy(early.out:find("DeadlineExceeded", 1, true))
    assert.equal("OK", late.code)
    assert.equal("1", late.value)
    assert.equal("1", get("slow", "d").value)
  end)

  it("finishes the load of a caller that has left", function()
    local gone = proc.start(sidecar.client_binary, { "call", "-target", perigee.app, "-group", "slow", "-key", "left" })
    proc.await("the load", 5000, function()
      return origin.counts()["/slowcount/700/left"] == 1
    end)
    gone:kill("sigkill")
    gone:wait()
    assert.equal("1", get("slow", "left").value)
  end)

  it("loads a cold key once for 10,000 callers", function()
    local storm = sidecar.client({ "storm", "-target", perigee.app, "-conns", "8", "-group", "slow", "-key", "crowd", "-n", "10000", "-timeout", "60s" }, 90000)
    assert.same({ OK = 10000 }, storm.codes)
    assert.equal(1, origin.counts()["/slowcount/700/crowd"])
  end)

  it("sets, peeks and removes", function()
    assert.equal("NotFound", code({ verb = "peek", group = "count", key = "s" }))
    assert.equal("OK", code({ verb = "set", group = "count", key = "s", value = "mine" }))
    assert.equal("mine", get("count", "s").value)
    assert.equal("mine", perigee:call({ verb = "peek", group = "count", key = "s" }).value)
    local removed = perigee:call({ verb = "remove", group = "count", key = "s" })
    assert.is_true(removed.removed)
    assert.is_false(perigee:call({ verb = "remove", group = "count", key = "s" }).removed)
    assert.equal("1", get("count", "s").value)
    assert.equal("OK", code({ verb = "set", group = "count", key = "t", value = "brief", ttl = "300ms" }))
    assert.equal("brief", get("count", "t").value)
    proc.watch(400)
    assert.not_equal("brief", get("count", "t").value)
  end)

  it("never lets an old load overwrite a set or a remove", function()
    for round = 1, 4 do
      local key = "race" .. round
      local reader = proc.start(sidecar.client_binary, { "call", "-target", perigee.app, "-group", "slow", "-key", key })
      proc.await("the load", 5000, function()
        return origin.counts()["/slowcount/700/" .. key] == 1
      end)
      if round % 2 == 0 then
        assert.equal("OK", code({ verb = "set", group = "slow", key = key, value = "newer" }))
      else
        perigee:call({ verb = "remove", group = "slow", key = key })
      end
      reader:wait()
      assert.truthy(reader.out:find('"code":"OK"', 1, true))
      assert.equal(round % 2 == 0 and "newer" or "2", get("slow", key).value)
    end
  end)

  it("removes and gets many keys at once", function()
    local batch = perigee:call({ verb = "batch", group = "value", key = "b1,b2,b3" })
    assert.same({ "b1", "b2", "b3" }, { batch.items[1].key, batch.items[2].key, batch.items[3].key })
    assert.equal("value of b2", batch.items[2].value)
    assert.equal(0, batch.items[2].code)
    local mixed = perigee:call({ verb = "batch", group = "bare", key = "x,y" })
    assert.equal(5, mixed.items[1].code)
    assert.equal("OK", code({ verb = "removekeys", group = "value", key = "b1,b2,b3" }))
    get("value", "b1")
    assert.equal(2, origin.counts()["/value/b1"])
  end)

  it("serves a value that is too large to keep, without emptying the shard", function()
    get("count", "neighbour")
    assert.equal("OK", get("size", "3000000").code)
    assert.equal(3000000, #get("size", "3000000").value)
    local large = get("size", "9000000")
    assert.not_equal("OK", large.code)
    assert.equal("1", get("count", "neighbour").value)
  end)

  it("passes NUL bytes and compressed requests", function()
    local got = get("size", "64")
    assert.equal(("\0"):rep(64), got.value)
    assert.equal("value of gz", get("value", "gz", { compressor = "gzip" }).value)
  end)

  it("answers keys of one byte and of one mebibyte", function()
    assert.equal("630", get("fixed", "x").value)
    local size = 1024 * 1024
    -- 0a 05 "fixed" 12 80 80 40 and the key
    local body = "\10\5fixed\18\128\128\64" .. ("k"):rep(size)
    local file = sidecar.folder .. "/large-key"
    proc.write(file, body)
    local got = perigee:call({ verb = "raw", path = "/groupcachepb.GroupCache/Get", ["body-file"] = file })
    assert.equal("OK", got.code, got.message)
  end)
end)
