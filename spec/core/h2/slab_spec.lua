local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "h2/slab.h" })

describe("h2/slab", function()
  local slab
  before_each(function()
    slab = ffi.new("struct peri_slab")
  end)
  after_each(function()
    C.peri_slab_done(slab)
  end)

  local function address(block)
    return tonumber(ffi.cast("uintptr_t", block))
  end

  it("hands a freed block of the same class out again", function()
    local first = C.peri_slab_alloc(slab, 100)
    C.peri_slab_free(slab, first)
    local second = C.peri_slab_alloc(slab, 128)
    assert.equal(address(first), address(second))
    local third = C.peri_slab_alloc(slab, 128)
    assert.are_not.equal(address(second), address(third))
    C.peri_slab_free(slab, second)
    C.peri_slab_free(slab, third)
  end)

  it("aligns blocks of every size for any type", function()
    for bytes = 0, 3000, 7 do
      local block = C.peri_slab_alloc(slab, bytes)
      assert.equal(0, address(block) % 16)
      ffi.fill(block, bytes, 1)
      C.peri_slab_free(slab, block)
    end
  end)

  it("keeps what a block holds when it grows, within a class and over all classes", function()
    local block = C.peri_slab_realloc(slab, nil, 10)
    ffi.copy(block, "0123456789", 10)
    for _, bytes in ipairs({ 60, 64, 65, 1024, 1025, 100000, 5 }) do
      block = C.peri_slab_realloc(slab, block, bytes)
      assert.equal("01234", ffi.string(block, 5))
    end
    C.peri_slab_free(slab, block)
  end)

  it("refuses sizes that cannot be", function()
    assert.is_true(C.peri_slab_alloc(slab, -1ULL) == nil)
  end)

  it("takes NULL back", function()
    C.peri_slab_free(slab, nil)
  end)
end)
