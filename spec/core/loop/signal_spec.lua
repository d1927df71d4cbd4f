local M = require("spec.core.loop.probe")
local C, ffi = M.C, M.ffi

ffi.cdef("int getpid(void); int kill(int pid, int number);")

local SIGUSR1, SIGUSR2 = 10, 12

describe("loop/signal", function()
  local loop
  before_each(function()
    loop = M.loop()
  end)
  after_each(function()
    loop.free()
  end)

  local function new(number, probe)
    return loop.make("peri_signal", C.peri_signal_new, number, C.peri_probe_caught, probe)
  end

  it("brings a signal to the loop, with its number", function()
    local one, two = loop.probe({ name = "1" }), loop.probe({ name = "2" })
    local a, b = new(SIGUSR1, one), new(SIGUSR2, two)
    ffi.C.kill(ffi.C.getpid(), SIGUSR2)
    assert.is_true(loop.step_until(function()
      return two.calls == 1
    end))
    assert.equal(SIGUSR2, two.number)
    assert.equal(0, one.calls)
    C.peri_signal_free(a)
    C.peri_signal_free(b)
  end)

  it("does not keep the loop alive", function()
    local signal = new(SIGUSR1, loop.probe())
    C.peri_loop_run(loop.ptr)
    C.peri_signal_free(signal)
    C.peri_signal_free(nil)
  end)

  it("can be freed in its own callback", function()
    local probe = loop.probe({ name = "s", action = C.PERI_PROBE_FREE_SIGNAL })
    probe.target = new(SIGUSR1, probe)
    ffi.C.kill(ffi.C.getpid(), SIGUSR1)
    assert.is_true(loop.step_until(function()
      return probe.calls == 1
    end))
  end)

  it("refuses numbers that are no signal or cannot be caught", function()
    local out = ffi.new("struct peri_signal *[1]")
    assert.is_true(C.peri_signal_new(loop.ptr, 9, C.peri_probe_caught, nil, out) < 0)
    assert.is_true(C.peri_signal_new(loop.ptr, 0, C.peri_probe_caught, nil, out) < 0)
  end)
end)
