--- Registrars on a real etcd. Their loop turns while the spec waits for anything.
local assert = require("luassert")
local uv = require("luv")
local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({
  "base/log.h",
  "base/metrics.h",
  "loop/loop.h",
  "loop/mailbox.h",
  "loop/timer.h",
  "etcd/session.h",
  "registry/record.h",
  "registry/registration.h",
  "registry/registrar_shim.h",
})

ffi.cdef([[
long long strtoll(const char *text, char **end, int base);
]])

local M = { C = C, ffi = ffi, etcd = etcd, proc = proc }

C.peri_log_setup(C.PERI_LOG_ERROR, C.PERI_LOG_TEXT)

M.OUT, M.REGISTERING, M.REGISTERED, M.BLOCKED = 0, 1, 2, 3

--- A lease written in digits.
function M.lease(text, base)
  return ffi.new("int64_t", ffi.C.strtoll(text, nil, base or 10))
end

---@class perigee.spec.Registrar
local Registrar = {}
Registrar.__index = Registrar

local open = {}

local function endpoints_of(self, endpoints)
  self.names = ffi.new("const char *[8]")
  self.texts = {}
  for i, endpoint in ipairs(endpoints) do
    self.texts[i] = endpoint
    self.names[i - 1] = endpoint
  end
  return #endpoints
end

--- `options`: prefix, ttl (2), fleet, user, password.
---@param endpoints string[]
function M.new(endpoints, options)
  options = options or {}
  local self = setmetatable({ prefix = options.prefix or "", ptr = ffi.new("struct peri_registrar *[1]") }, Registrar)
  local loop, mailbox = ffi.new("struct peri_loop *[1]"), ffi.new("struct peri_mailbox *[1]")
  assert.equal(0, C.peri_loop_new(loop))
  assert.equal(0, C.peri_mailbox_new(loop[0], mailbox))
  self.loop, self.mailbox = loop[0], mailbox[0]
  self.metrics = C.peri_metrics_new()
  local session, problem = ffi.new("struct peri_etcd *[1]"), ffi.new("struct peri_problem")
  local user, password = options.user or "", options.password or ""
  local settings = ffi.new("struct peri_etcd_options", {
    loop = self.loop,
    mailbox = self.mailbox,
    endpoint_count = endpoints_of(self, endpoints),
    user = cffi.slice(user),
    password = cffi.slice(password),
  })
  settings.endpoints = self.names
  assert(C.peri_etcd_new(settings, session, problem) == 0, ffi.string(problem.text))
  self.session = session[0]
  self.fleet = ffi.new("size_t[1]", options.fleet or 3)
  local more = ffi.new("struct peri_registrar_options", {
    etcd = self.session,
    metrics = self.metrics,
    prefix = cffi.slice(self.prefix),
    ttl_s = options.ttl or 2,
    fleet = C.peri_shim_fleet,
    ctx = self.fleet,
  })
  assert.equal(0, C.peri_registrar_new(more, self.ptr))
  -- A loop that waits for nothing but its mailbox does not look into it.
  local alive = ffi.new("struct peri_timer *[1]")
  assert.equal(0, C.peri_timer_new(self.loop, C.peri_shim_outcome_closed, self.fleet, alive))
  C.peri_timer_start(alive[0], 3600 * 1000, 0)
  self.alive = alive[0]
  self.timer = uv.new_timer()
  self.timer:start(1, 2, function()
    C.peri_loop_step(self.loop, 0)
  end)
  open[self] = true
  return self
end

--- Frees the registrar, closes the session and frees the loop.
function Registrar:close()
  if not open[self] then
    return
  end
  open[self] = nil
  C.peri_registrar_free(self.ptr[0])
  local closed = ffi.new("struct peri_shim_outcome")
  C.peri_etcd_close(self.session, C.peri_shim_outcome_closed, closed)
  proc.await("the session to close", 10000, function()
    return closed.count > 0
  end)
  self.timer:stop()
  self.timer:close()
  uv.run("nowait")
  C.peri_timer_free(self.alive)
  C.peri_mailbox_close(self.mailbox)
  assert.equal(0, C.peri_loop_free(self.loop))
  C.peri_metrics_free(self.metrics)
end

function M.close_all()
  for registrar in pairs(open) do
    registrar:close()
  end
end

local function record_of(address, weight)
  local record = ffi.new("struct peri_record", { weight = weight or 1 })
  record.address = cffi.slice(address)
  local protocol = "grpc"
  record.protocol = cffi.slice(protocol)
  return record, { address, protocol }
end

--- @return ffi.cdata* entry
function Registrar:add(service, address, on, weight)
  local entry = ffi.new("struct peri_listing *[1]")
  local record, anchors = record_of(address, weight)
  local rc = C.peri_registrar_add(self.ptr[0], cffi.slice(service), record, on ~= false, entry)
  assert(anchors)
  if rc ~= 0 then
    return nil, rc
  end
  return entry[0]
end

function Registrar:update(entry, address, weight)
  local record, anchors = record_of(address, weight)
  local rc = C.peri_listing_update(entry, record)
  assert(anchors)
  return rc
end

function M.state(entry)
  return tonumber(C.peri_listing_state(entry))
end

function M.reason(entry)
  return ffi.string(C.peri_listing_reason(entry))
end

function Registrar:await_state(entry, state, limit_ms)
  proc.await("state " .. state, limit_ms or 5000, function()
    return M.state(entry) == state
  end, function()
    return ("state %d: %s"):format(M.state(entry), M.reason(entry))
  end)
end

--- Adds one and waits until it is registered.
function Registrar:registered(service, address, weight)
  local entry = assert(self:add(service, address, true, weight))
  self:await_state(entry, M.REGISTERED)
  return entry
end

function Registrar:lease()
  return C.peri_registrar_lease(self.ptr[0])
end

--- The value of a counter or gauge, 0 when there is none.
function Registrar:metric(name, labels)
  local text = ffi.new("struct peri_buffer")
  assert.equal(0, C.peri_metrics_render(self.metrics, text))
  local rendered = cffi.string({ ptr = text.ptr, len = text.len })
  C.peri_buffer_done(text)
  local series = labels and ("%s{%s}"):format(name, labels) or name
  for line in rendered:gmatch("[^\n]+") do
    if line:sub(1, #series + 1) == series .. " " then
      return tonumber(line:sub(#series + 2))
    end
  end
  return 0
end

--- Starts something that ends with an error code, and returns its outcome.
function M.outcome(start)
  local outcome = ffi.new("struct peri_shim_outcome")
  start(C.peri_shim_outcome_note, outcome)
  return outcome
end

--- Waits for an outcome. @return integer error, number ms that it took
function M.await(outcome, limit_ms)
  local began = uv.hrtime()
  proc.await("an outcome", limit_ms or 5000, function()
    return outcome.count > 0
  end)
  return outcome.error, (uv.hrtime() - began) / 1e6
end

function Registrar:leave(limit_ms)
  return M.outcome(function(note, outcome)
    C.peri_registrar_leave(self.ptr[0], limit_ms, note, outcome)
  end)
end

function Registrar:revoke(limit_ms)
  return M.outcome(function(note, outcome)
    C.peri_registrar_revoke(self.ptr[0], limit_ms, note, outcome)
  end)
end

function Registrar:remove(entry)
  return M.outcome(function(note, outcome)
    C.peri_registrar_remove(entry, note, outcome)
  end)
end

--- Tells an entry what stands in etcd now, as a watch does.
function M.see(entry, cluster)
  local key = cffi.string(C.peri_listing_key(entry))
  local record = cluster:read(key)[key]
  if record then
    C.peri_listing_seen(entry, M.lease(record.lease), record.mod_revision)
  else
    -- A deletion's revision is the store's.
    local text = cluster:ctl("get", "-w", "json", "nothing")
    C.peri_listing_seen(entry, 0, tonumber(text:match('"revision":(%d+)')))
  end
end

return M
