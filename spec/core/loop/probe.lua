--- What the specs of this room share: probes, and a loop that must come down clean.
local cffi = require("spec.support.ffi")
local assert = require("luassert")
local C, ffi = cffi.load({ "base/error.h", "loop/probe_shim.h" })

local M = { C = C, ffi = ffi }

---@return table loop, with `step_until`, `probe`, `free` and the C loop as `ptr`
function M.loop()
  local out = ffi.new("struct peri_loop *[1]")
  assert.equal(0, C.peri_loop_new(out))
  local self = { ptr = out[0], trace = ffi.new("struct peri_trace"), held = {} }

  --- A probe for a callback; fields as in the shim's struct.
  function self.probe(fields)
    local probe = ffi.new("struct peri_probe")
    probe.loop, probe.trace = self.ptr, self.trace
    for name, value in pairs(fields or {}) do
      probe[name] = type(value) == "string" and value:byte() or value
    end
    C.peri_turn_init(probe.turn, self.ptr, C.peri_probe_turn)
    probe.message.run = C.peri_probe_message
    self.held[#self.held + 1] = probe
    return probe
  end

  function self.names()
    return ffi.string(self.trace.names)
  end

  --- Steps until `ready()` holds; false after about ten seconds.
  function self.step_until(ready)
    for _ = 1, 1000 do
      if ready() then
        return true
      end
      C.peri_loop_step(self.ptr, 10)
    end
    return false
  end

  --- An out-parameter's value from a constructor.
  function self.make(ctype, constructor, ...)
    local made = ffi.new("struct " .. ctype .. " *[1]")
    local args = { self.ptr, ... }
    args[#args + 1] = made
    assert.equal(0, constructor(unpack(args)))
    return made[0]
  end

  function self.free()
    assert.equal(0, C.peri_loop_free(self.ptr))
  end

  return self
end

return M
