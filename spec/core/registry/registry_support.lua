--- A whole registry for specs, on a real etcd.
local cffi = require("spec.support.ffi")
local json = require("spec.support.json")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "registry/registry_shim.h", "model/config.h", "base/json.h", "base/clock.h" })

local M = {}

---@class perigee.spec.Registry
---@field rig ffi.cdata*
local Registry = {}
Registry.__index = Registry

--- A configuration from a table, as the Lua file's becomes.
function M.config(tree)
  local text = type(tree) == "string" and tree or json.encode(tree)
  local parsed, problem = ffi.new("struct peri_json *[1]"), ffi.new("struct peri_problem")
  assert(C.peri_json_parse(cffi.slice(text), parsed, problem) == 0, ffi.string(problem.text))
  local got = ffi.new("struct peri_config *[1]")
  local code = C.peri_config_build("perigee.lua", cffi.slice(text), parsed[0], got, problem)
  C.peri_json_unref(parsed[0])
  assert(code == 0, ffi.string(problem.text))
  return ffi.gc(got[0], C.peri_config_unref)
end

--- The tree of a sidecar at `self` on these endpoints; `more` goes into it, `etcd` into its registry.
function M.tree(endpoints, self, more, etcd)
  local tree = {
    node = { address = self },
    listen = { mesh = self },
    cluster = "c",
    registry = { kind = "etcd", endpoints = endpoints, ttl = "5s" },
  }
  for key, value in pairs(more or {}) do
    tree[key] = value
  end
  for key, value in pairs(etcd or {}) do
    tree.registry[key] = value
  end
  return tree
end

--- @return perigee.spec.Registry?, string words
function M.start(tree)
  local config, problem = M.config(tree), ffi.new("struct peri_problem")
  local self_address = config.node_address ~= nil and ffi.string(config.node_address) or ""
  local rig = C.registry_rig_new(config, cffi.slice(self_address), problem)
  if rig == nil then
    return nil, ffi.string(problem.text)
  end
  return setmetatable({ rig = rig }, Registry), ""
end

function Registry:step(for_ms)
  C.registry_rig_step(self.rig, for_ms or 0)
end

--- Steps until `done()` answers, for a limited time.
function Registry:await(what, done, limit_ms)
  local until_ns = C.peri_clock_mono_ns() + (limit_ms or 5000) * proc.patience * 1000000ULL
  while true do
    local value = done()
    if value then
      return value
    end
    assert(C.peri_clock_mono_ns() < until_ns, "waited in vain for " .. what .. "\n" .. self:lines())
    self:step(1)
  end
end

function Registry:lines()
  local slice = C.registry_rig_lines(self.rig)
  return slice.len > 0 and ffi.string(slice.ptr, slice.len) or ""
end

--- What was told to be provided, line by line.
function Registry:provided()
  local slice = C.registry_rig_provided(self.rig)
  return slice.len > 0 and ffi.string(slice.ptr, slice.len) or ""
end

--- Addresses of a service in the last snapshot, in order, with "?" behind suspects.
function Registry:addresses(service)
  local found = {}
  for name, address, suspect in self:lines():gmatch("([^\t\n]*)\t([^\t]*)\t[^\t]*\t%d+\t%d\t(%d)\n") do
    if name == service then
      found[#found + 1] = address .. (suspect == "1" and "?" or "")
    end
  end
  return table.concat(found, " ")
end

function Registry:published()
  return C.registry_rig_published(self.rig)
end

function Registry:metric(line)
  local slice = C.registry_rig_metrics(self.rig)
  local text = ffi.string(slice.ptr, slice.len)
  local value = text:match("\n" .. line:gsub("%p", "%%%0") .. " (%S+)")
  return tonumber(value)
end

local service_states = { [0] = "syncing", "live", "stale" }

function Registry:status()
  local got = ffi.new("struct peri_registry_status *[1]")
  assert(C.peri_registry_status(C.registry_rig_registry(self.rig), got) == 0)
  local from = got[0]
  local status = {
    kind = ffi.string(from.kind),
    state = ffi.string(from.state),
    reason = ffi.string(from.reason),
    trouble = ffi.string(from.trouble),
    endpoint = ffi.string(from.endpoint),
    age_ms = tonumber(from.age_ms),
    revision = tonumber(from.revision),
    lease = tonumber(from.lease),
    lease_remaining_ms = tonumber(from.lease_remaining_ms),
    services = {},
    own = {},
  }
  for i = 0, tonumber(from.service_count) - 1 do
    local each = from.services[i]
    status.services[ffi.string(each.name)] = {
      state = service_states[tonumber(each.state)],
      endpoints = tonumber(each.endpoints),
      suspects = tonumber(each.suspects),
      invalid = tonumber(each.invalid),
      revision = tonumber(each.revision),
    }
  end
  for i = 0, tonumber(from.own_count) - 1 do
    local each = from.own[i]
    status.own[ffi.string(each.service)] = {
      address = ffi.string(each.address),
      state = ffi.string(each.state),
      reason = ffi.string(each.reason),
    }
  end
  C.peri_registry_status_unref(got[0])
  return status
end

function Registry:enter()
  self:await("the first snapshot", function()
    return self:published() > 0
  end)
  C.peri_registry_enter(C.registry_rig_registry(self.rig))
end

--- Whether everything of its own is registered.
function Registry:settled()
  for _, own in pairs(self:status().own) do
    if own.state ~= "registered" then
      return false
    end
  end
  return true
end

--- @return integer code, ffi.cdata* outcome, string words
function Registry:register(fields)
  local registration, problem = ffi.new("struct peri_registration"), ffi.new("struct peri_problem")
  local outcome = ffi.new("struct registry_outcome")
  for name, value in pairs(fields) do
    registration[name] = type(value) == "string" and cffi.slice(value) or value
  end
  local code = C.registry_rig_register(self.rig, registration, outcome, problem)
  return code, outcome, ffi.string(problem.text)
end

function Registry:deregister(service)
  local outcome, problem = ffi.new("struct registry_outcome"), ffi.new("struct peri_problem")
  local code = C.registry_rig_deregister(self.rig, cffi.slice(service), outcome, problem)
  return code, outcome, ffi.string(problem.text)
end

function Registry:update(tree)
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_registry_update(C.registry_rig_registry(self.rig), M.config(tree), problem)
  return code, ffi.string(problem.text)
end

function Registry:leave(limit_ms)
  local outcome = ffi.new("struct registry_outcome")
  C.registry_rig_leave(self.rig, limit_ms, outcome)
  self:await("leaving", function()
    return outcome.count == 1
  end, limit_ms + 2000)
end

function Registry:free(limit_ms)
  local rig = self.rig
  self.rig = nil
  return C.registry_rig_free(rig, limit_ms or 1000)
end

return M
