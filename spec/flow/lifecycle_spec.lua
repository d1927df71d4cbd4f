local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local base = [[
  workers = 2,
  listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
]]

describe("the life of a sidecar", function()
  local origin

  setup(function()
    sidecar.setup()
    origin = sidecar.origin()
  end)

  teardown(sidecar.teardown)

  local function slow(more)
    return ("return { %s %s groups = { slow = { fallback = { 'http_origin', url = 'http://%s/slow/600/{key}', timeout = '30s' } } } }"):format(base, more or "", origin.address)
  end

  it("says when it is ready, and stops with 0", function()
    local car = sidecar.start("return {" .. base .. "groups = { g = {} } }")
    assert.truthy(car.line:match("^perigee ready app=127%.0%.0%.1:%d+ admin=127%.0%.0%.1:%d+$"), car.line)
    assert.equal(200, (proc.http("GET", car.admin, "/live")))
    assert.equal(200, (proc.http("GET", car.admin, "/ready")))
    assert.equal(404, (proc.http("GET", car.admin, "/nothing")))
    car:stop()
    assert.equal(car.line .. "\n", car.process.out)
  end)

  it("is small when idle", function()
    if os.getenv("PERI_KIND") then
      return pending("a sanitizer's build is larger")
    end
    local car = sidecar.start("return { listen = { app = '127.0.0.1:0', admin = '127.0.0.1:0' }, groups = { g = {}, h = { fallback = { 'static_reply', value = 'v' } } } }")
    local file = assert(io.open("/proc/" .. car.process.pid .. "/status"))
    local status = file:read("*a")
    file:close()
    assert.truthy(tonumber(status:match("VmRSS:%s+(%d+)")) <= 16 * 1024, status)
    assert.truthy(tonumber(status:match("RssAnon:%s+(%d+)")) <= 6 * 1024, status)
    car:stop()
  end)

  it("finishes what it has begun when told to stop", function()
    local car = sidecar.start(slow())
    local calls = {}
    for i = 1, 20 do
      calls[i] = proc.start(sidecar.client_binary, { "call", "-target", car.app, "-group", "slow", "-key", "k" .. i })
    end
    proc.await("the loads", 10000, function()
      local n = 0
      for path in pairs(origin.counts()) do
        n = n + (path:match("^/slow/600/k%d+$") and 1 or 0)
      end
      return n == 20
    end)
    car.process:kill("sigterm")
    for i = 1, 20 do
      calls[i]:wait()
      assert.truthy(calls[i].out:find('"code":"OK"', 1, true), calls[i].out)
    end
    assert.equal(0, (car.process:wait()))
  end)

  it("stops within its drain time although a call hangs", function()
    local car = sidecar.start(("return { %s drain = '500ms', groups = { hang = { fallback = { 'http_origin', url = 'http://%s/hang', timeout = '60s' } } } }"):format(base, origin.address))
    local call = proc.start(sidecar.client_binary, { "call", "-target", car.app, "-group", "hang", "-key", "k" })
    proc.await("the load", 5000, function()
      return origin.counts()["/hang"]
    end)
    car:stop(5000)
    call:wait()
    assert.is_nil(call.out:find('"code":"OK"', 1, true))
  end)

  it("stops at once at a second SIGTERM", function()
    local car = sidecar.start(("return { %s drain = '60s', groups = { hang = { fallback = { 'http_origin', url = 'http://%s/hang', timeout = '60s' } } } }"):format(base, origin.address))
    local call = proc.start(sidecar.client_binary, { "call", "-target", car.app, "-group", "hang", "-key", "k2" })
    local before = origin.counts()["/hang"] or 0
    proc.await("the load", 5000, function()
      return (origin.counts()["/hang"] or 0) >= math.max(before, 1)
    end)
    car.process:kill("sigterm")
    proc.await("draining", 5000, function()
      local status = proc.http("GET", car.admin, "/ready")
      return status == 503
    end)
    car.process:kill("sigterm")
    car.process:wait(5000)
    call:wait()
  end)

  it("tells health checks that it is going", function()
    local car = sidecar.start(slow("drain = '3s',"))
    local check = sidecar.client({ "health", "-target", car.app })
    assert.same({ status = "SERVING", code = "OK" }, check)
    assert.equal("NotFound", sidecar.client({ "health", "-target", car.app, "-service", "no.such" }).code)
    local watch = proc.start(sidecar.client_binary, { "health", "-target", car.app, "-watch", "-timeout", "20s" })
    watch:await_out('"SERVING"')
    car.process:kill("sigterm")
    watch:await_out('"NOT_SERVING"')
    assert.equal(0, (car.process:wait()))
    watch:wait()
  end)

  it("listens on Unix sockets", function()
    local app, admin = sidecar.folder .. "/app.sock", sidecar.folder .. "/admin.sock"
    local config = ("return { workers = 1, listen = { app = 'unix:%s', admin = 'unix:%s' }, groups = { g = { fallback = { 'static_reply', value = 'v' } } } }"):format(app, admin)
    local car = sidecar.start(config)
    assert.equal("unix:" .. app, car.app)
    assert.equal("v", car:call({ group = "g", key = "k" }).value)
    assert.equal("v\n", car:cli("get", "g", "k").out)
    assert.equal(200, (proc.http("GET", car.admin, "/live")))
    -- A second one must not steal the socket of a living one; a dead one's is replaced.
    local second = sidecar.launch(config)
    assert.equal(1, (second:wait()))
    assert.truthy(second.err:find(app, 1, true))
    car.process:destroy()
    sidecar.start(config):stop()
  end)

  it("names a port in use and ends with 1", function()
    local car = sidecar.start("return {" .. base .. "groups = { g = {} } }")
    local second = sidecar.launch(("return { listen = { app = '%s', admin = '127.0.0.1:0' }, groups = { g = {} } }"):format(car.app))
    assert.equal(1, (second:wait()))
    assert.truthy(second.err:find(car.app:match("%d+$"), 1, true), second.err)
    assert.truthy(second.err:find("in use", 1, true), second.err)
    assert.equal("", second.out)
    car:stop()
  end)

  it("refuses a wrong configuration with 2, naming file, key and the nearest key", function()
    for text, words in pairs({
      ["return { groups = { g = { tll = '1s' } } }"] = { "groups.g.tll", '"ttl"' },
      ["return { grops = {} }"] = { "grops", '"groups"' },
      ["return { workers = 'two' }"] = { "workers" },
      ["return { groups = { g = { bytes = '64MiX' } } }"] = { "groups.g.bytes" },
      ["return { listen = { app = 'nowhere' } }"] = { "listen.app" },
      ["return {"] = { ":1:" },
      ["error('no luck')"] = { "no luck" },
      ["while true do end"] = { "" },
      ["return 5"] = { "table" },
      ["return { groups = { g = { fallback = { 'no_such_policy' } } } }"] = { "no_such_policy" },
      ["return { groups = { g = { fallback = { 'static_reply', valeu = 'x' } } } }"] = { "valeu" },
    }) do
      local process, file = sidecar.launch(text)
      assert.equal(2, (process:wait()), text .. "\n" .. process.err)
      assert.equal("", process.out)
      for _, word in ipairs(words) do
        assert.truthy(process.err:find(word, 1, true), text .. "\n" .. process.err)
      end
      local check = proc.run(sidecar.binary, { "check", "--config", file })
      assert.equal(2, check.code, text .. check.err)
    end
    local missing = proc.run(sidecar.binary, { "serve", "--config", "/no/such/file.lua" })
    assert.equal(2, missing.code)
    assert.truthy(missing.err:find("/no/such/file.lua", 1, true))
    local check = proc.run(sidecar.binary, { "check", "--config", proc.root .. "/examples/quickstart/perigee.lua" })
    assert.equal(0, check.code, check.err)
  end)

  it("keeps serving when descriptors run out", function()
    local starter = sidecar.folder .. "/few"
    proc.write(starter, '#!/bin/sh\nulimit -n 80\nexec "$PERI_BINARY" "$@"\n')
    os.execute("chmod +x " .. starter)
    local car = sidecar.start("return {" .. base .. "groups = { g = { fallback = { 'static_reply', value = 'v' } } } }", { binary = starter, env = { PERI_BINARY = sidecar.binary } })
    local sockets = {}
    for i = 1, 120 do
      sockets[i] = proc.connect(car.app)
    end
    proc.await("refused connections", 10000, function()
      local n = 0
      for _, socket in ipairs(sockets) do
        n = n + (socket.closed and 1 or 0)
      end
      return n > 20
    end)
    for _, socket in ipairs(sockets) do
      socket.close()
    end
    proc.await("a working call", 10000, function()
      return car:cli("get", "g", "k").out == "v\n"
    end)
    car:stop()
  end)

  it("drains in the middle of a storm without losing an answered call", function()
    local car = sidecar.start(slow("drain = '5s',"))
    local storm = proc.start(sidecar.client_binary, { "storm", "-target", car.app, "-conns", "4", "-group", "slow", "-key", "s", "-keys", "50", "-n", "2000" })
    proc.await("the storm", 10000, function()
      return origin.counts()["/slow/600/s1"]
    end)
    car:stop()
    storm:wait()
    assert.is_nil(storm.out:find("Internal", 1, true), storm.out)
    assert.is_nil(storm.out:find("Unknown", 1, true), storm.out)
  end)
end)
