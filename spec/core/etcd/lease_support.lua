--- What the specs of leases share: a real etcd, and a session that is stepped.
local bit = require("bit")
local uv = require("luv")
local assert = require("luassert")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "base/error.h", "base/clock.h", "etcd/lease_shim.h" })

local M = { C = C, ffi = ffi, slice = cffi.slice }

local Rig = {}
Rig.__index = Rig

--- A session with the members at `endpoints`, on a loop of its own.
---@param endpoints string[]
---@param user? string
---@param password? string
function M.rig(endpoints, user, password)
  local self = setmetatable({ c = ffi.new("struct peri_lease_rig"), probes = {} }, Rig)
  local names = ffi.new("const char *[?]", #endpoints, endpoints)
  assert.equal(0, C.peri_lease_rig_new(self.c, names, #endpoints, user, password))
  return self
end

function Rig:free()
  for _, probe in ipairs(self.probes) do
    C.peri_etcd_kept_free(probe.kept)
  end
  assert.is_true(C.peri_lease_rig_free(self.c))
end

--- A probe that is freed with the rig; fields as in the shim's struct.
function Rig:probe(fields)
  local probe = ffi.new("struct peri_lease_probe")
  for name, value in pairs(fields or {}) do
    probe[name] = value
  end
  self.probes[#self.probes + 1] = probe
  return probe
end

--- Lets the session work until `ready()` holds; whether it did within `limit_ms`.
---@param limit_ms integer
---@param ready fun(): any
function Rig:step_until(limit_ms, ready)
  local limit = uv.hrtime() + limit_ms * proc.patience * 1e6
  while not ready() do
    if uv.hrtime() > limit then
      return false
    end
    C.peri_loop_step(self.c.loop, 10)
  end
  return true
end

--- Lets it work for a while, whatever happens.
function Rig:work(ms)
  local limit = uv.hrtime() + ms * 1e6
  while uv.hrtime() < limit do
    C.peri_loop_step(self.c.loop, 10)
  end
end

--- Starts a call and waits for its answer: `start(probe)` starts it.
function Rig:call(start)
  local probe = self:probe()
  assert.equal(0, start(probe))
  assert.is_true(self:step_until(10000, function()
    return probe.done > 0
  end))
  assert.equal(1, probe.done)
  return probe
end

--- Grants a lease that must succeed.
---@return any id, integer ttl_s as the server gave it
function Rig:grant(ttl_s)
  local id = C.peri_etcd_lease_id()
  local probe = self:call(function(probe)
    return C.peri_etcd_lease_grant(self.c.etcd, id, ttl_s, C.peri_lease_granted, probe, nil)
  end)
  assert.equal(0, probe.kind, ffi.string(probe.text))
  return id, tonumber(probe.number)
end

--- Keeps a lease; the fields of the probe as above.
function Rig:keep(id, ttl_s, fields)
  local probe = self:probe(fields)
  assert.equal(0, C.peri_lease_keep(self.c, probe, id, ttl_s))
  return probe
end

--- Revokes a lease that must be gone then.
function Rig:revoke(id)
  local probe = self:call(function(probe)
    return C.peri_etcd_lease_revoke(self.c.etcd, id, C.peri_lease_done, probe, nil)
  end)
  assert.equal(0, probe.kind, ffi.string(probe.text))
end

--- What the server knows of a lease: the probe's ttl_s, number (granted) and keys.
function Rig:info(id)
  local probe = self:call(function(probe)
    return C.peri_etcd_lease_info(self.c.etcd, id, true, C.peri_lease_told, probe, nil)
  end)
  assert.equal(0, probe.kind, ffi.string(probe.text))
  return probe
end

--- A lease's ID as etcdctl and the keys of locks write it.
function M.hex(id)
  return (bit.tohex(id, 16):gsub("^0+", ""))
end

function M.key(probe)
  return ffi.string(probe.key, probe.key_len)
end

function M.value(probe)
  return ffi.string(probe.value, probe.value_len)
end

return M
