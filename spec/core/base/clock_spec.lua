local cffi = require("spec.support.ffi")
local C = cffi.load({ "base/clock.h" })

describe("base/clock", function()
  it("never runs backwards", function()
    local last = C.peri_clock_mono_ns()
    for _ = 1, 10000 do
      local now = C.peri_clock_mono_ns()
      assert.is_true(now >= last)
      last = now
    end
  end)

  it("tells the time of day", function()
    local seconds = tonumber(C.peri_clock_unix_ns() / 1000000000)
    assert.is_true(math.abs(seconds - os.time()) <= 2)
  end)
end)
