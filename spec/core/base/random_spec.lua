local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/random.h" })

describe("base/random", function()
  it("gives SplitMix64's numbers", function()
    local state = ffi.new("uint64_t[1]")
    assert.equal(0xe220a8397b1dcdafULL, C.peri_random_next(state))
    assert.equal(0x6e789e6aa1b965f4ULL, C.peri_random_next(state))
    assert.equal(0x06c45d188009454fULL, C.peri_random_next(state))
  end)

  it("stays below, and comes everywhere", function()
    local state, seen = ffi.new("uint64_t[1]", 7), {}
    for _ = 1, 6000 do
      local number = tonumber(C.peri_random_below(state, 6))
      seen[number] = (seen[number] or 0) + 1
    end
    for number = 0, 5 do
      assert.is_true(seen[number] > 850 and seen[number] < 1150, tostring(seen[number]))
      seen[number] = nil
    end
    assert.is_nil(next(seen))
    assert.equal(0, tonumber(C.peri_random_below(state, 0)))
    assert.equal(0, tonumber(C.peri_random_below(state, 1)))
  end)
end)
