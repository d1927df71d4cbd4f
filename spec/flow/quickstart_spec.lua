local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the quickstart", function()
  local origin, process, app

  setup(function()
    sidecar.setup()
    origin = sidecar.origin()
    process = proc.start(proc.root .. "/examples/quickstart/run", {}, {
      env = {
        PERIGEE = sidecar.binary,
        PERIGEE_APP = "127.0.0.1:0",
        PERIGEE_ADMIN = "127.0.0.1:0",
        PERIGEE_ORIGIN = "http://" .. origin.address .. "/value/{key}",
      },
    })
    app = process:await_out("perigee ready app=(%S+)")
  end)

  teardown(function()
    process:kill("sigterm")
    assert.equal(0, (process:wait()))
    sidecar.teardown()
  end)

  local function perigee(...)
    return proc.run(sidecar.binary, { ... })
  end

  it("says what to type next", function()
    assert.truthy((process.out .. process.err):find("perigee get countries NZ", 1, true))
  end)

  it("knows New Zealand", function()
    local got = perigee("get", "--target", app, "countries", "NZ")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("New Zealand", 1, true))
    assert.truthy(got.out:find("NZL", 1, true))
    local json = perigee("get", "--target", app, "--json", "countries", "JP")
    assert.truthy(json.out:find("Japan", 1, true))
  end)

  it("knows that there is no such country", function()
    local got = perigee("get", "--target", app, "countries", "XX")
    assert.equal(4, got.code)
    assert.equal("", got.out)
    assert.truthy(#got.err > 0)
  end)

  it("fetches pages from the origin that the configuration names", function()
    local got = perigee("get", "--target", app, "pages", "hello")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("value of hello", 1, true))
  end)

  it("shows its statistics", function()
    local stats = perigee("stats", "--target", app, "perigee_cache")
    assert.equal(0, stats.code, stats.err)
    assert.truthy(stats.out:find("countries", 1, true))
  end)
end)
