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
