local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/buffer.h", "base/error.h" })

describe("base/buffer", function()
  local buffer

  before_each(function()
    buffer = ffi.new("struct peri_buffer")
  end)

  after_each(function()
    C.peri_buffer_done(buffer)
  end)

  local function held()
    return cffi.string(C.peri_buffer_slice(buffer))
  end

  it("starts empty", function()
    assert.equal("", held())
    C.peri_buffer_drop(buffer, 10)
    assert.equal("", held())
  end)

  it("keeps what is added, across growth", function()
    local expected = {}
    for i = 1, 1000 do
      local piece = ("%d\0"):format(i)
      expected[i] = piece
      assert.equal(0, C.peri_buffer_add(buffer, piece, #piece))
    end
    assert.equal(table.concat(expected), held())
  end)

  it("adds nothing for an empty piece", function()
    assert.equal(0, C.peri_buffer_add(buffer, nil, 0))
    assert.equal("", held())
  end)

  it("formats behind what it holds", function()
    C.peri_buffer_add(buffer, "a=", 2)
    assert.equal(0, C.peri_buffer_printf(buffer, "%d %s", ffi.cast("int", 42), ("x"):rep(300)))
    assert.equal("a=42 " .. ("x"):rep(300), held())
  end)

  it("drops from the front, and everything when asked for more", function()
    C.peri_buffer_add(buffer, "abcdef", 6)
    C.peri_buffer_drop(buffer, 2)
    assert.equal("cdef", held())
    C.peri_buffer_drop(buffer, 0)
    assert.equal("cdef", held())
    C.peri_buffer_drop(buffer, 5)
    assert.equal("", held())
  end)

  it("refuses a length that cannot be, and stays as it was", function()
    C.peri_buffer_add(buffer, "abc", 3)
    assert.equal(C.PERI_ENOMEM, C.peri_buffer_reserve(buffer, ffi.cast("size_t", -1LL)))
    assert.equal(C.PERI_ENOMEM, C.peri_buffer_reserve(buffer, ffi.cast("size_t", -1LL) / 2))
    assert.equal("abc", held())
  end)

  it("reserves room that additions then use", function()
    assert.equal(0, C.peri_buffer_reserve(buffer, 5000))
    local before = buffer.ptr
    C.peri_buffer_add(buffer, ("y"):rep(5000), 5000)
    assert.equal(before, buffer.ptr)
  end)

  it("is empty and usable after done", function()
    C.peri_buffer_add(buffer, "abc", 3)
    C.peri_buffer_done(buffer)
    assert.equal("", held())
    assert.equal(0, C.peri_buffer_add(buffer, "z", 1))
    assert.equal("z", held())
  end)
end)
