local support = require("spec.plugins.support")

describe("the picker maglev", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    script:close()
    support.s.clean()
  end)

  it("gives even shares", function()
    local shares = support.shares(support.picker(script, "maglev", "{}", { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }), 9000)
    for _, count in pairs(shares) do
      assert.near(3000, count, 200)
    end
  end)

  it("honours weights", function()
    local owner = support.picker(script, "maglev", "{}", { "10.0.0.1:1", "10.0.0.2:1" }, { 1, 3 })
    local shares = support.shares(owner, 4000)
    assert.near(3, shares["10.0.0.2:1"] / shares["10.0.0.1:1"], 3 * 0.15)
  end)

  it("has the same owners on every node, and survives the departure of all peers", function()
    support.check_picker(script, "maglev")
  end)
end)
