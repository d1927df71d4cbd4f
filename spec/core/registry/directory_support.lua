--- A directory with a clock and revisions of its own.
local cffi = require("spec.support.ffi")
local assert = require("luassert")
local C, ffi = cffi.load({ "registry/directory.h", "model/peers.h", "base/error.h" })

local M = { C = C, ffi = ffi, prefix = "/p/shop/" }

local SECOND = 1000000000ULL

function M.value(address, fields)
  local metadata = {}
  for _, name in ipairs({ "weight", "zone" }) do
    local value = fields and fields[name]
    if value then
      metadata[#metadata + 1] = ("%q:%s"):format(name, type(value) == "string" and ("%q"):format(value) or value)
    end
  end
  local text = #metadata > 0 and "{" .. table.concat(metadata, ",") .. "}" or "null"
  return ('{"Op":0,"Addr":%q,"Metadata":%s}'):format(address, text)
end

---@param hold_ms integer?
function M.new(hold_ms)
  local out = ffi.new("struct peri_directory *[1]")
  assert.equal(0, C.peri_directory_new(cffi.slice("shop"), cffi.slice(M.prefix), hold_ms or 30000, out))
  local self = { ptr = ffi.gc(out[0], C.peri_directory_free), now = 100 * SECOND, revision = 10 }

  --- Lets `seconds` go by.
  function self.wait(seconds)
    self.now = self.now + ffi.cast("uint64_t", seconds * 1000) * 1000000ULL
  end

  --- Puts a raw value; returns the code and the words.
  function self.put_raw(key, value, revision, lease)
    if not revision then
      self.revision = self.revision + 1
      revision = self.revision
    end
    local problem = ffi.new("struct peri_problem")
    local rc = C.peri_directory_put(
      self.ptr,
      cffi.slice(M.prefix .. key),
      cffi.slice(value),
      revision,
      lease or 1,
      self.now,
      problem
    )
    return rc, ffi.string(problem.text)
  end

  function self.put(address, fields, revision)
    assert.equal(0, (self.put_raw(fields and fields.key or address, M.value(address, fields), revision)))
  end

  function self.delete(key, revision)
    if not revision then
      self.revision = self.revision + 1
      revision = self.revision
    end
    assert.equal(0, C.peri_directory_delete(self.ptr, cffi.slice(M.prefix .. key), revision, self.now))
  end

  --- A whole reading; `list` holds addresses, put with their known or new revisions.
  function self.load(list, regressed)
    C.peri_directory_load_begin(self.ptr, regressed or false)
    for _, address in ipairs(list) do
      local lease, mod = self.find(address)
      self.put(address, nil, not regressed and lease and mod or nil)
    end
    assert.equal(0, C.peri_directory_load_end(self.ptr, self.revision, self.now))
  end

  function self.find(key)
    local lease, mod = ffi.new("int64_t[1]"), ffi.new("int64_t[1]")
    if C.peri_directory_find(self.ptr, cffi.slice(M.prefix .. key), lease, mod) then
      return tonumber(lease[0]), tonumber(mod[0])
    end
  end

  function self.refute(address)
    C.peri_directory_refuted(self.ptr, cffi.slice(address), self.now)
  end

  --- Seconds until it wants to be called again, nil for never.
  function self.tick()
    local next = C.peri_directory_tick(self.ptr, self.now)
    return next ~= 0 and tonumber(next - self.now) / 1e9 or nil
  end

  function self.peers(own)
    local made, problem = ffi.new("struct peri_peers *[1]"), ffi.new("struct peri_problem")
    assert.equal(0, C.peri_directory_peers(self.ptr, cffi.slice(own or ""), made, problem))
    return ffi.gc(made[0], C.peri_peers_unref)
  end

  --- The endpoints in one text, suspects with a question mark.
  function self.shown()
    local peers, list = self.peers(), {}
    for i = 0, tonumber(C.peri_peers_count(peers)) - 1 do
      local endpoint = C.peri_peers_at(peers, i)
      list[i + 1] = ffi.string(endpoint.address) .. (endpoint.suspect and "?" or "")
    end
    return table.concat(list, " ")
  end

  --- The suspects, sorted, in one text.
  function self.suspects()
    local list = {}
    for i = 0, tonumber(C.peri_directory_suspects(self.ptr)) - 1 do
      list[i + 1] = ffi.string(C.peri_directory_suspect(self.ptr, i))
    end
    assert.is_true(C.peri_directory_suspect(self.ptr, #list) == nil)
    table.sort(list)
    return table.concat(list, " ")
  end

  function self.changed()
    return C.peri_directory_changed(self.ptr)
  end

  function self.keys()
    return tonumber(C.peri_directory_keys(self.ptr))
  end

  function self.newest()
    return tonumber(C.peri_directory_newest(self.ptr))
  end

  function self.invalid()
    return tonumber(C.peri_directory_invalid(self.ptr))
  end

  return self
end

return M
