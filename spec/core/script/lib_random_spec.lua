local s = require("spec.core.script.support")

describe("perigee.random", function()
  it("draws numbers from 0 to 1", function()
    local _, text = s.eval(s.vm(), [[
      local random, sum = require("perigee.random"), 0
      for _ = 1, 10000 do
        local x = random.number()
        assert(x >= 0 and x < 1)
        sum = sum + x
      end
      return sum / 10000]])
    assert.near(0.5, tonumber(text), 0.02)
  end)

  it("draws each whole number of a range as often", function()
    local _, text = s.eval(s.vm(), [[
      local random, counts = require("perigee.random"), { 0, 0, 0 }
      for _ = 1, 9000 do
        local x = random.integer(-1, 1) + 2
        counts[x] = counts[x] + 1
      end
      return table.concat(counts, " ")]])
    for count in text:gmatch("%d+") do
      assert.near(3000, tonumber(count), 250)
    end
  end)

  it("differs from VM to VM", function()
    local draw = "return require('perigee.random').integer(0, 2^53)"
    local _, one = s.eval(s.vm(), draw)
    local _, other = s.eval(s.vm(), draw)
    assert.not_equal(one, other)
  end)

  it("raises for ranges that are none", function()
    for _, range in ipairs({ "2, 1", "0.5, 1", "1, 'x'", "0, 0/0", "0, 2^60" }) do
      local code = s.eval(s.vm(), ("return require('perigee.random').integer(%s)"):format(range))
      assert.equal(s.ESCRIPT, code, range)
    end
    assert.same({ 0, "7" }, { s.eval(s.vm(), "return require('perigee.random').integer(7, 7)") })
  end)
end)
