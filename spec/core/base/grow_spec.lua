local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/grow.h" })

describe("base/grow", function()
  it("begins with a few items, doubles, and keeps what is there", function()
    local capacity, items = ffi.new("size_t[1]"), nil
    for _, wanted in ipairs({ 8, 16, 32, 64 }) do
      local before = tonumber(capacity[0])
      items = ffi.cast("uint32_t *", C.peri_grow(items, capacity, 4))
      assert.equal(wanted, tonumber(capacity[0]))
      for i = 0, before - 1 do
        assert.equal(i, items[i])
      end
      for i = before, wanted - 1 do
        items[i] = i
      end
    end
    ffi.C.free(items)
  end)

  it("changes nothing when that is more than there can be", function()
    for _, case in ipairs({ { 2ULL ^ 63, 1 }, { 2ULL ^ 40, 2ULL ^ 30 }, { 0, 2ULL ^ 62 } }) do
      local capacity = ffi.new("size_t[1]", case[1])
      assert.is_true(C.peri_grow(nil, capacity, case[2]) == nil)
      assert.is_true(capacity[0] == case[1])
    end
  end)
end)
