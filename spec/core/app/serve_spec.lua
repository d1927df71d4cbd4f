local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee serve", function()
  setup(function()
    sidecar.folder = proc.folder()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function run(args, options)
    return proc.run(sidecar.binary, { "serve", unpack(args) }, options)
  end

  it("explains itself", function()
    local help = run({ "--help" })
    assert.equal(0, help.code)
    assert.truthy(help.out:find("--config FILE", 1, true))
  end)

  it("ends with 2 for wrong usage", function()
    local got = run({ "--confg", "x" })
    assert.equal(2, got.code)
    assert.truthy(got.err:find("did you mean --config", 1, true))
    assert.equal("", got.out)
  end)

  it("ends with 2 and says what to do when there is no configuration", function()
    local got = run({}, { cwd = sidecar.folder })
    assert.equal(2, got.code)
    assert.truthy(got.err:find("--config FILE", 1, true), got.err)
    local named = run({ "--config", "/no/such.lua" })
    assert.equal(2, named.code)
    assert.truthy(named.err:find("/no/such.lua", 1, true), named.err)
  end)

  it("takes ./perigee.lua when none is named", function()
    proc.write(sidecar.folder .. "/perigee.lua", 'return { grops = {} }')
    local got = run({}, { cwd = sidecar.folder })
    assert.equal(2, got.code)
    assert.truthy(got.err:find('did you mean "groups"', 1, true), got.err)
  end)

  it("ends with 1 when its own files are missing", function()
    local got = run({ "--config", "/dev/null" }, { env = { PERIGEE_DATA = "/nowhere" } })
    assert.equal(1, got.code)
    assert.truthy(got.err:find("PERIGEE_DATA is /nowhere", 1, true), got.err)
  end)

  it("says what a configuration must be when it is none", function()
    for path, words in pairs({
      [sidecar.folder] = "not a regular file",
      ["/dev/null"] = "not a regular file",
      ["/no/such.lua"] = "there is no such file",
    }) do
      local got = run({ "--config", path })
      assert.equal(2, got.code)
      assert.truthy(got.err:find(path .. ": ", 1, true) and got.err:find(words, 1, true), got.err)
    end
    local fifo = sidecar.folder .. "/fifo.lua"
    assert.equal(0, os.execute("mkfifo '" .. fifo .. "'"))
    local got = run({ "--config", fifo })
    assert.equal(2, got.code)
    assert.truthy(got.err:find("not a regular file", 1, true), got.err)
  end)

  it("survives SIGHUP from its first moment on", function()
    -- The evaluation takes so long that the signals come in its middle.
    local busy = "for _ = 1, 1e8 do end return { workers = 1, listen = { app = '127.0.0.1:0', admin = false } }"
    local process = sidecar.launch(busy, { args = { "--log-level", "debug" } })
    proc.await("SIGHUP to be ignored", 5000, function()
      return process.code or proc.run("/bin/grep", { "-q", "SigIgn:.*[13579bdf]$", "/proc/" .. process.pid .. "/status" }).code == 0
    end)
    for _ = 1, 50 do
      process:kill("sighup")
    end
    process:await_out("perigee ready")
    for _ = 1, 500 do
      process:kill("sighup")
    end
    process:kill("sigterm")
    local code, signal = process:wait()
    assert.same({ 0, 0 }, { code, signal })
  end)

  it("runs and stops well without the first three descriptors", function()
    local file = sidecar.folder .. "/closed.lua"
    proc.write(file, "return { workers = 1, listen = { app = 'unix:closed.sock', admin = false } }")
    for _, closed in ipairs({ ">&-", ">&- 2>&-", "<&- >&- 2>&-" }) do
      local script = ("exec '%s' serve --config '%s' %s"):format(sidecar.binary, file, closed)
      local process = proc.start("/bin/sh", { "-c", script }, { cwd = sidecar.folder })
      proc.await("the socket", 5000, function()
        return process.code or proc.run("/usr/bin/test", { "-S", sidecar.folder .. "/closed.sock" }).code == 0
      end)
      local got = proc.run(sidecar.binary, { "peers", "--target", "unix:" .. sidecar.folder .. "/closed.sock" })
      assert.equal(0, got.code, got.err)
      process:kill("sigterm")
      local code, signal = process:wait()
      assert.same({ 0, 0 }, { code, signal }, closed)
    end
  end)

  it("warns of folders that are not there", function()
    local car = sidecar.start("return { workers = 1, listen = { app = '127.0.0.1:0', admin = false }, policies = { path = { '/no/policies' } }, files = { '/no/files' } }")
    car:stop()
    assert.truthy(car.process.err:find("policies.path: there is no folder /no/policies", 1, true), car.process.err)
    assert.truthy(car.process.err:find("files: there is no folder /no/files", 1, true), car.process.err)
  end)

  it("logs JSON when asked to, and only what is asked for", function()
    local config = 'return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = { g = {} } }'
    local car = sidecar.start(config, { args = { "--log-format", "json" } })
    car:stop()
    local lines = 0
    for line in car.process.err:gmatch("[^\n]+") do
      assert.equal("info", json.decode(line).level)
      lines = lines + 1
    end
    assert.truthy(lines >= 1)
    local quiet = sidecar.start(config, { args = { "--log-level=error" } })
    quiet:stop()
    assert.equal("", quiet.process.err)
  end)
end)
