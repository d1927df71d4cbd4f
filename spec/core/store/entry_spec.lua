local M = require("spec.core.store.store")
local C, ffi = M.C, M.ffi

describe("store/entry", function()
  it("holds copies of key and value", function()
    local entry = M.entry("key\0x", "value\0y", 77)
    assert.equal("key\0x", M.string(C.peri_entry_key(entry)))
    assert.equal("value\0y", M.string(C.peri_entry_value(entry)))
    assert.equal(77LL, C.peri_entry_expire_ns(entry))
    assert.is_false(C.peri_entry_absent(entry))
    C.peri_entry_unref(entry)
  end)

  it("tells an empty value from an absent one", function()
    local empty, absent = M.entry("k", ""), M.entry("k", "ignored", 0, true)
    assert.is_false(C.peri_entry_absent(empty))
    assert.is_true(C.peri_entry_absent(absent))
    assert.equal(0, tonumber(C.peri_entry_value(empty).len))
    assert.equal(0, tonumber(C.peri_entry_value(absent).len))
    C.peri_entry_unref(empty)
    C.peri_entry_unref(absent)
    C.peri_entry_unref(nil)
  end)

  it("is over from its instant on, or never", function()
    local mortal, eternal = M.entry("k", "v", 100), M.entry("k", "v", 0)
    assert.is_false(C.peri_entry_expired(mortal, 99))
    assert.is_true(C.peri_entry_expired(mortal, 100))
    assert.is_false(C.peri_entry_expired(eternal, 9223372036854775807LL))
    C.peri_entry_unref(mortal)
    C.peri_entry_unref(eternal)
  end)

  it("lives as long as somebody refers to it", function()
    local entry = M.entry("k", "v")
    assert.equal(entry, C.peri_entry_ref(entry))
    C.peri_entry_unref(entry)
    assert.equal("v", M.string(C.peri_entry_value(entry)))
    C.peri_entry_unref(entry)
  end)

  it("costs at most 64 bytes beyond key and value, rounding aside", function()
    for len = 0, 7000, 13 do
      local entry = M.entry("k", ("v"):rep(len))
      local over = tonumber(C.peri_entry_charge_bytes(entry)) - 1 - len
      local total = 56 + 1 + len
      -- Slots are an eighth apart, and the few large ones share a block's rest.
      local rounding = total <= 2048 and total / 5 or total / 3
      assert.is_true(over >= 64 and over <= 64 + rounding + 8, len .. ": " .. over)
      C.peri_entry_unref(entry)
    end
    for _, len in ipairs({ 8000, 100000, 1000000 }) do
      local entry = M.entry("k", ("v"):rep(len))
      local over = tonumber(C.peri_entry_charge_bytes(entry)) - 1 - len
      assert.is_true(over >= 64 and over <= 64 + 4096, len .. ": " .. over)
      C.peri_entry_unref(entry)
    end
  end)

  it("refuses what is too long to be counted", function()
    local out = ffi.new("struct peri_entry *[1]")
    local huge = ffi.new("struct peri_slice", { "x", 2 ^ 28 + 1 })
    assert.equal(C.PERI_ELIMIT, C.peri_entry_new(huge, M.slice(""), 0, false, out))
    assert.equal(C.PERI_ELIMIT, C.peri_entry_new(M.slice(""), huge, 0, false, out))
  end)
end)
