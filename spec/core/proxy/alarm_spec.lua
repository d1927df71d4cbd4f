local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "proxy/alarm_shim.h" })

describe("proxy/alarm", function()
  it("rings for each call once, in the order of their instants", function()
    math.randomseed(7)
    for _ = 1, 20 do
      local count = math.random(1, 200)
      local waits = ffi.new("uint32_t[?]", count)
      local gone = ffi.new("bool[?]", count)
      local expected = 0
      for i = 0, count - 1 do
        waits[i] = math.random(0, 30)
        gone[i] = math.random() < 0.3
        expected = expected + (gone[i] and 0 or 1)
      end
      assert.equal(expected, C.peri_shim_alarm_run(waits, gone, count))
    end
  end)
end)
