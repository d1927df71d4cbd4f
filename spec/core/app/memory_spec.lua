local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/memory.h" })
ffi.cdef("void *malloc(size_t size); void free(void *memory); void *memset(void *memory, int byte, size_t size);")

local second = 1000000000

describe("memory", function()
  local function resident_bytes()
    local file = assert(io.open("/proc/self/statm"))
    local pages = tonumber(file:read("*a"):match("^%d+ (%d+)"))
    file:close()
    return pages * 4096
  end

  --- Fills 150 MB and frees all but every fiftieth piece of it. Returns what frees the rest.
  local function burst()
    local pieces, count = ffi.new("void *[?]", 50000), 50000
    for i = 0, count - 1 do
      pieces[i] = ffi.C.memset(ffi.C.malloc(3000), 1, 3000)
    end
    for i = 0, count - 1 do
      if i % 50 ~= 49 then
        ffi.C.free(pieces[i])
      end
    end
    return function()
      for i = 49, count - 1, 50 do
        ffi.C.free(pieces[i])
      end
    end
  end

  it("goes back to the system after a burst, and only then", function()
    if os.getenv("PERI_KIND") then
      return pending("a sanitizer has its own malloc")
    end
    local memory, now_ns = ffi.new("struct peri_memory"), 1ULL * second
    C.peri_memory_trim(memory, now_ns)
    for _ = 1, 2 do
      local clean = burst()
      local before = resident_bytes()
      assert.is_false(C.peri_memory_trim(memory, now_ns + 9 * second))
      now_ns = now_ns + 10 * second
      assert.is_true(C.peri_memory_trim(memory, now_ns))
      assert.is_true(resident_bytes() < before - 100e6, before)
      now_ns = now_ns + 10 * second
      assert.is_false(C.peri_memory_trim(memory, now_ns))
      -- What was given back is used again, and looked at meanwhile.
      clean()
      local again = ffi.new("void *[?]", 40000)
      for i = 0, 39999 do
        again[i] = ffi.C.memset(ffi.C.malloc(3000), 1, 3000)
      end
      now_ns = now_ns + 10 * second
      assert.is_false(C.peri_memory_trim(memory, now_ns))
      for i = 0, 39999 do
        ffi.C.free(again[i])
      end
    end
  end)
end)
