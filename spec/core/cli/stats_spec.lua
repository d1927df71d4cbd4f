local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee stats", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start('return { workers = 2, listen = { app = "127.0.0.1:0", admin = false }, groups = { g = {} } }')
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("prints counters and gauges, chosen by their beginning", function()
    assert.equal("perigee_workers 2\n", car:cli("stats", "perigee_workers").out)
    assert.truthy(car:cli("stats").out:find('\nperigee_cache_entries{group="g"} 0\n', 1, true))
    local none = car:cli("stats", "nothing_begins_so")
    assert.same({ 0, "" }, { none.code, none.out })
  end)

  it("prints JSON", function()
    local list = json.decode(car:cli("stats", "--json", "perigee_cache_entries").out)
    assert.same({ { name = "perigee_cache_entries", labels = { group = "g" }, value = 0 } }, list)
  end)
end)
