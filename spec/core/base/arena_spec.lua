local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/arena.h" })

describe("base/arena", function()
  local arena

  before_each(function()
    arena = C.peri_arena_new(0)
  end)

  after_each(function()
    C.peri_arena_free(arena)
  end)

  it("gives zeroed, aligned, separate pieces", function()
    local pieces = {}
    for i = 1, 500 do
      local piece = ffi.cast("unsigned char *", C.peri_arena_alloc(arena, i))
      assert.equal(0, tonumber(ffi.cast("uintptr_t", piece) % 16))
      for at = 0, i - 1 do
        assert.equal(0, piece[at])
      end
      ffi.fill(piece, i, i % 251 + 1)
      pieces[i] = piece
    end
    for i, piece in ipairs(pieces) do
      assert.equal(i % 251 + 1, piece[0])
      assert.equal(i % 251 + 1, piece[i - 1])
    end
  end)

  it("serves pieces larger than a block without wasting the block", function()
    local small = ffi.cast("char *", C.peri_arena_alloc(arena, 16))
    local large = ffi.cast("char *", C.peri_arena_alloc(arena, 1000000))
    large[999999] = 1
    local next_small = ffi.cast("char *", C.peri_arena_alloc(arena, 16))
    assert.equal(small + 16, next_small)
  end)

  it("copies slices and formats text", function()
    local copy = C.peri_arena_copy(arena, cffi.slice("a\0b"))
    assert.equal("a\0b\0", ffi.string(copy, 4))
    assert.equal("", ffi.string(C.peri_arena_copy(arena, cffi.slice(""))))
    assert.equal("n=7 x", ffi.string(C.peri_arena_printf(arena, "n=%d %s", ffi.cast("int", 7), "x")))
  end)

  it("answers NULL to sizes that cannot be", function()
    assert.is_true(C.peri_arena_alloc(arena, ffi.cast("size_t", -1LL)) == nil)
    assert.is_true(C.peri_arena_alloc(arena, ffi.cast("size_t", -64LL)) == nil)
  end)

  it("takes a first size, and NULL to free", function()
    local sized = C.peri_arena_new(64)
    assert.is_true(C.peri_arena_alloc(sized, 64) ~= nil)
    assert.is_true(C.peri_arena_alloc(sized, 64) ~= nil)
    C.peri_arena_free(sized)
    C.peri_arena_free(nil)
  end)
end)
