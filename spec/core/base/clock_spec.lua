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

  it("tells what this thread has worked, not what it has waited", function()
    local worked, past = C.peri_clock_thread_ns(), C.peri_clock_mono_ns()
    assert(os.execute("sleep 0.2") == 0)
    assert.is_true(C.peri_clock_mono_ns() - past >= 200000000)
    assert.is_true(C.peri_clock_thread_ns() - worked < 100000000)
    worked = C.peri_clock_thread_ns()
    repeat
      local now = C.peri_clock_thread_ns()
    until now > worked + 1000000
  end)

  it("tells the time of day", function()
    local seconds = tonumber(C.peri_clock_unix_ns() / 1000000000)
    assert.is_true(math.abs(seconds - os.time()) <= 2)
  end)
end)
