local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/slice.h" })

local function slice(text)
  return cffi.slice(text)
end

describe("base/slice", function()
  it("views a NUL-terminated string", function()
    assert.equal("abc", cffi.string(C.peri_slice_of("abc")))
    assert.equal(0, tonumber(C.peri_slice_of("").len))
    assert.equal(0, tonumber(C.peri_slice_of(nil).len))
  end)

  it("compares bytes, NUL bytes as well", function()
    assert.is_true(C.peri_slice_equal(slice("a\0b"), slice("a\0b")))
    assert.is_false(C.peri_slice_equal(slice("a\0b"), slice("a\0c")))
    assert.is_false(C.peri_slice_equal(slice("a"), slice("ab")))
    assert.is_true(C.peri_slice_equal(C.peri_slice_of(nil), slice("")))
    assert.is_true(C.peri_slice_is(slice("abc"), "abc"))
    assert.is_false(C.peri_slice_is(slice("abc\0"), "abc"))
  end)

  it("orders by bytes, and what is shorter first", function()
    local sorted = { "", "\0", "a", "a\0", "aa", "b", "\xff" }
    for i, one in ipairs(sorted) do
      for j, other in ipairs(sorted) do
        local order = C.peri_slice_compare(slice(one), slice(other))
        assert.equal(i < j and -1 or i > j and 1 or 0, order < 0 and -1 or order > 0 and 1 or 0)
      end
    end
    assert.equal(0, C.peri_slice_compare(C.peri_slice_of(nil), slice("")))
  end)

  it("knows prefixes", function()
    assert.is_true(C.peri_slice_starts(slice("unix:/x"), "unix:"))
    assert.is_true(C.peri_slice_starts(slice("x"), ""))
    assert.is_false(C.peri_slice_starts(slice("uni"), "unix:"))
    assert.is_false(C.peri_slice_starts(slice("tcp:/x"), "unix:"))
  end)

  it("accepts what RFC 3629 calls UTF-8", function()
    for _, text in ipairs({
      "",
      "plain",
      "\0",
      "张三",
      "\xC2\x80",
      "\xDF\xBF",
      "\xE0\xA0\x80",
      "\xED\x9F\xBF",
      "\xEE\x80\x80",
      "\xEF\xBF\xBF",
      "\xF0\x90\x80\x80",
      "\xF4\x8F\xBF\xBF",
    }) do
      assert.is_true(C.peri_slice_is_utf8(slice(text)), text)
    end
  end)

  it("refuses overlongs, surrogates, cut characters and what is too high", function()
    for _, text in ipairs({
      "\x80",
      "\xBF",
      "\xC0\x80",
      "\xC1\xBF",
      "\xC2",
      "\xC2A",
      "\xE0\x9F\xBF",
      "\xED\xA0\x80",
      "\xE5\xBC",
      "\xE5\xBCA",
      "\xF0\x8F\xBF\xBF",
      "\xF4\x90\x80\x80",
      "\xF5\x80\x80\x80",
      "\xF0\x9F\x98",
      "\xFF",
      "fine until \xFE",
    }) do
      assert.is_false(C.peri_slice_is_utf8(slice(text)), text)
    end
  end)

  it("measures the first character", function()
    assert.equal(0, tonumber(C.peri_slice_utf8_length(slice(""))))
    assert.equal(1, tonumber(C.peri_slice_utf8_length(slice("ab"))))
    assert.equal(3, tonumber(C.peri_slice_utf8_length(slice("张三"))))
    assert.equal(4, tonumber(C.peri_slice_utf8_length(slice("😀"))))
    assert.equal(0, tonumber(C.peri_slice_utf8_length(slice("\xFFa"))))
  end)

  it("copies to the heap with a NUL behind", function()
    local copy = C.peri_slice_dup(slice("a\0b"))
    assert.equal("a\0b\0", ffi.string(copy, 4))
    ffi.C.free(copy)
    copy = C.peri_slice_dup(C.peri_slice_of(nil))
    assert.equal("\0", ffi.string(copy, 1))
    ffi.C.free(copy)
  end)
end)
