local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "store/pages.h" })

local PAGE = 4096

describe("store/pages", function()
  local pages, owner
  before_each(function()
    pages, owner = ffi.new("struct peri_pages"), ffi.new("int[1]")
    pages.owner = owner
  end)
  after_each(function()
    C.peri_pages_done(pages)
  end)

  local function take(count, align)
    local run = C.peri_pages_take(pages, count, align or 1)
    assert.is_true(run ~= nil)
    return ffi.cast("char *", run)
  end

  local function give(run, count)
    C.peri_pages_drop(run, count)
    C.peri_pages_give(pages, run, count)
  end

  it("gives runs that do not overlap, aligned as asked and known by their owner", function()
    local runs = {}
    for i = 1, 200 do
      local count, align = i % 7 + 1, 2 ^ (i % 4)
      local run = take(count, align)
      local at = tonumber(ffi.cast("uintptr_t", run))
      assert.equal(0, at % (PAGE * align))
      assert.is_true(C.peri_pages_owner(run + count * PAGE - 1) == ffi.cast("void *", owner))
      runs[i] = { at, at + count * PAGE }
    end
    table.sort(runs, function(a, b)
      return a[1] < b[1]
    end)
    for i = 2, #runs do
      assert.is_true(runs[i - 1][2] <= runs[i][1])
    end
  end)

  it("gives back memory zeroed, the lowest first", function()
    local first, second = take(3), take(3)
    ffi.fill(first, 3 * PAGE, 0xff)
    give(first, 3)
    local again = take(2)
    assert.is_true(again == first)
    assert.equal(0, again[0])
    assert.is_true(take(2) > second)
    assert.is_true(take(1) == first + 2 * PAGE)
  end)

  it("goes on in another region when one is full, and back", function()
    local large = {}
    for i = 1, 3 do
      large[i] = take(8192)
    end
    assert.is_true(large[1] ~= large[2] and large[2] ~= large[3])
    give(large[1], 8192)
    assert.is_true(take(8192) == large[1])
  end)

  it("finds room between runs", function()
    local runs = {}
    for i = 1, 100 do
      runs[i] = take(1)
    end
    for i = 10, 19 do
      give(runs[i], 1)
    end
    assert.is_true(take(11) > runs[100])
    assert.is_true(take(10) == runs[10])
  end)
end)
