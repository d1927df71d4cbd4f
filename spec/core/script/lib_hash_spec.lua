local s = require("spec.core.script.support")

describe("perigee.hash", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  local function hash(text)
    local code, result = s.eval(vm, "local hash = require('perigee.hash') return " .. text)
    assert.equal(0, code, result)
    return result
  end

  it("computes the published values", function()
    assert.equal("3421780262", hash("hash.crc32('123456789')"))
    assert.equal("3826002220", hash("hash.fnv1a32('a')"))
    assert.equal("af63bd4c8601b7be", hash("hash.fnv1_64('a')"))
    assert.equal("cbf29ce484222325", hash("hash.fnv1_64('')"))
    assert.equal("2d06800538d394c2", hash("hash.xxh3('')"))
    assert.equal("900150983cd24fb0d6963f7d28e17f72", hash("hash.md5_hex('abc')"))
  end)

  it("agrees with the shards", function()
    assert.equal("11 10", hash("hash.fnv1a32('Tom') % 16 .. ' ' .. hash.fnv1a32('Jack') % 16"))
  end)

  it("spreads keys over buckets", function()
    local counts = hash([[(function()
      local counts = { 0, 0, 0, 0 }
      for i = 1, 4000 do
        local at = hash.bucket("key-" .. i, 4)
        counts[at] = counts[at] + 1
      end
      return table.concat(counts, " ")
    end)()]])
    for count in counts:gmatch("%d+") do
      assert.near(1000, tonumber(count), 120)
    end
  end)

  it("raises for misuse", function()
    for _, call in ipairs({ "crc32({})", "bucket('a', 0)", "bucket('a', 1.5)", "bucket('a')" }) do
      assert.equal(s.ESCRIPT, (s.eval(vm, "return require('perigee.hash')." .. call)), call)
    end
  end)
end)
