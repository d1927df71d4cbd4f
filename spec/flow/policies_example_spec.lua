local proc = require("spec.support.proc")

describe("the example policies", function()
  local folder

  before_each(function()
    folder = proc.folder()
  end)
  after_each(function()
    proc.destroy_all()
    proc.remove(folder)
  end)

  local function start()
    local base = proc.free_ports(29)
    return proc.start(proc.root .. "/examples/policies/run", {}, {
      env = { PERI_BUILD = proc.build, PERIGEE_BASE_PORT = tostring(base), TMPDIR = folder },
    })
  end

  --- What stands between two texts of the output.
  local function part(out, from, to)
    local first = assert(select(2, out:find(from, 1, true)), out)
    local last = to and assert(out:find(to, first, true), out) or #out + 1
    return out:sub(first + 1, last - 1)
  end

  --- How many calls each instance answered: the how many-th line of that kind says it. None failed.
  local function calls(text, number)
    local at = 0
    for made, failed, by in text:gmatch("(%d+) calls, failed: (%d+); answered by ([^\n]*)") do
      at = at + 1
      if at == (number or 1) then
        local counts = {}
        for name, count in by:gmatch("([%w-]+) (%d+)") do
          counts[name] = tonumber(count)
        end
        assert.equal("0", failed, text)
        return counts, tonumber(made)
      end
    end
    error("there are no such calls in " .. text)
  end

  it("decide as their pages say, also while one is edited", function()
    local run = start()
    assert.equal(0, (run:wait(180000)), run.out .. run.err)
    assert.equal("", run.err)
    local out = run.out

    local zones = part(out, "\ncheap_zones: ", "\ncanary: ")
    local near = calls(zones)
    assert.equal(200, (near["a-1"] or 0) + (near["a-2"] or 0), zones)
    local full = calls(zones, 2)
    assert.is_true((full["b-1"] or 0) + (full["b-2"] or 0) > 0, zones)
    assert.is_true((full["a-1"] or 0) + (full["a-2"] or 0) > 200, zones)
    local ended = calls(zones, 3)
    assert.equal(200, (ended["b-1"] or 0) + (ended["b-2"] or 0), zones)
    assert.truthy(zones:find("zone b at cost 1, half fails in a", 1, true), zones)

    local canary = part(out, "\ncanary: ", "\ntenant_shards: ")
    local share = calls(canary)["new-1"] or 0
    assert.is_true(share > 0 and share % 5 == 0 and share <= 75, canary)
    assert.same({ ["new-1"] = 20 }, (calls(canary, 2)))
    assert.truthy(canary:find("x-user is not among the first 5 %", 1, true), canary)

    local tenants = part(out, "\ntenant_shards: ", "\nstale_on_failure: ")
    for number = 1, 3 do
      local reached = 0
      for _ in pairs((calls(tenants, number))) do
        reached = reached + 1
      end
      assert.equal(2, reached, tenants)
    end
    assert.truthy(tenants:find("fewest in flight of the tenant's shard", 1, true), tenants)

    local prices = part(out, "\nstale_on_failure: ", "\nan edit while calls go on")
    assert.truthy(prices:find("price list 1\n +price list 1\n.* is %d+%.%d s old: EIO: the origin answered 503\n +group prices, key \"list\"\n.*\n +price list 2"), prices)

    local edits = part(out, "\nan edit while calls go on")
    assert.truthy(part(edits, "", "an edit that its selftest refuses"):find("one of those who try things first", 1, true), edits)
    assert.truthy(edits:find("always is the canary's", 1, true), edits)
    local after = part(edits, "back to the version before:", "the calls meanwhile:")
    assert.is_nil(after:find("one of those who try things first", 1, true), edits)
    local during, made = calls(edits)
    assert.is_true(made > 100 and during["new-1"] > 0, edits)
  end)

  it("leave nothing behind when they are interrupted", function()
    local run = start()
    run:await_out("cheap_zones: ", 120000)
    run:kill("sigterm")
    assert.equal(143, (run:wait(60000)), run.out .. run.err)
    assert.same({}, proc.traces(folder))
  end)
end)
