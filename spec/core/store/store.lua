--- What the specs of this room share: a store with Lua's face.
local assert = require("luassert")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "store/crowd_shim.h" })

local M = { C = C, ffi = ffi, slice = cffi.slice, string = cffi.string }

--- The Unix time at which most specs run, in nanoseconds.
M.NOW = 1000000000LL

--- A new entry with one reference.
function M.entry(key, value, expire_ns, absent)
  local out = ffi.new("struct peri_entry *[1]")
  assert.equal(0, C.peri_entry_new(cffi.slice(key), cffi.slice(value or ""), expire_ns or 0, absent or false, out))
  return out[0]
end

---@param options? table shards, max_waiters, budget_bytes
function M.new(options)
  local out = ffi.new("struct peri_store *[1]")
  assert.equal(0, C.peri_store_new(ffi.new("struct peri_store_options", options or {}), out))
  local self = { ptr = out[0] }

  --- Stores a value and returns the code.
  function self.set(key, value, expire_ns, now_ns, absent)
    local entry = M.entry(key, value, expire_ns, absent)
    local rc = C.peri_store_set(self.ptr, entry, now_ns or M.NOW)
    C.peri_entry_unref(entry)
    return rc
  end

  local function find(how, key, now_ns)
    local found = ffi.new("struct peri_entry *[1]")
    local rc = how(self.ptr, cffi.slice(key), now_ns or M.NOW, found)
    if rc ~= 0 then
      assert.equal(C.PERI_ENOTFOUND, rc)
      assert.is_true(found[0] == nil)
      return nil
    end
    local value = cffi.string(C.peri_entry_value(found[0]))
    local absent = C.peri_entry_absent(found[0])
    C.peri_entry_unref(found[0])
    return absent and "(absent)" or value
  end

  function self.get(key, now_ns)
    return find(C.peri_store_get, key, now_ns)
  end

  function self.peek(key, now_ns)
    return find(C.peri_store_peek, key, now_ns)
  end

  function self.remove(key, now_ns)
    return C.peri_store_remove(self.ptr, cffi.slice(key), now_ns or M.NOW)
  end

  --- A statistic as a Lua number.
  function self.stat(name)
    local stats = ffi.new("struct peri_store_stats")
    C.peri_store_stats(self.ptr, stats)
    return tonumber(stats[name])
  end

  function self.free()
    C.peri_store_free(self.ptr)
  end

  return self
end

return M
