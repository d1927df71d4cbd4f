local support = require("spec.plugins.support")

describe("the picker ring_fnv", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    script:close()
    support.s.clean()
  end)

  it("takes replicas", function()
    local owner = support.picker(script, "ring_fnv", '{"replicas":512}', { "10.0.0.1:1", "10.0.0.2:1" })
    local shares = support.shares(owner, 2000)
    assert.near(1000, shares["10.0.0.1:1"], 200)
  end)

  it("honours weights", function()
    local owner = support.picker(script, "ring_fnv", "{}", { "10.0.0.1:1", "10.0.0.2:1" }, { 1, 3 })
    local shares = support.shares(owner, 4000)
    assert.near(3, shares["10.0.0.2:1"] / shares["10.0.0.1:1"], 3 * 0.6)
  end)

  it("has the same owners on every node, and survives the departure of all peers", function()
    support.check_picker(script, "ring_fnv")
  end)
end)
