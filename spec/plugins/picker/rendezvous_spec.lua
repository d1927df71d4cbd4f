local support = require("spec.plugins.support")

describe("the picker rendezvous", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    script:close()
    support.s.clean()
  end)

  it("moves no key between peers that stay", function()
    local all = { "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1" }
    local before = support.picker(script, "rendezvous", "{}", all)
    local after = support.picker(script, "rendezvous", "{}", { all[1], all[2] })
    for i = 1, 1000 do
      local old = before("key-" .. i)
      assert.is_true(old == all[3] or old == after("key-" .. i))
    end
  end)

  it("honours weights", function()
    local owner = support.picker(script, "rendezvous", "{}", { "10.0.0.1:1", "10.0.0.2:1" }, { 1, 3 })
    local shares = support.shares(owner, 4000)
    assert.near(3, shares["10.0.0.2:1"] / shares["10.0.0.1:1"], 3 * 0.15)
  end)

  it("has the same owners on every node, and survives the departure of all peers", function()
    support.check_picker(script, "rendezvous")
  end)
end)
