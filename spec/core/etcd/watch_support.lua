--- What the specs of watches share: rigs and probes that come down clean.
local uv = require("luv")
local assert = require("luassert")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "etcd/watch_shim.h", "base/clock.h", "loop/loop.h", "etcd/kv.h" })

local M = { C = C, ffi = ffi }

M.COMPACTED, M.REGRESSED = 1, 2

local rigs = {}

local Rig = {}
Rig.__index = Rig

local Probe = {}
Probe.__index = function(self, name)
  return Probe[name] or self.c[name]
end

--- A session with `endpoints` and its watches.
function M.rig(endpoints, user, password)
  local self = setmetatable({ c = ffi.new("struct peri_watch_rig"), probes = {}, writers = {} }, Rig)
  local list = ffi.new("const char *[?]", #endpoints)
  for i, endpoint in ipairs(endpoints) do
    list[i - 1] = endpoint
  end
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_watch_rig_new(self.c, list, #endpoints, user, password, problem)
  assert.equal(0, code, ffi.string(problem.text))
  rigs[self] = true
  return self
end

--- Watches below a prefix from `start` on. `fields` are set in the probe first.
function Rig:watch(prefix, start, fields, exact)
  local probe = setmetatable({ c = ffi.new("struct peri_watch_probe"), rig = self }, Probe)
  for name, value in pairs(fields or {}) do
    probe.c[name] = value
  end
  assert.equal(0, C.peri_watch_probe_start(probe.c, self.c, cffi.slice(prefix), exact or false, start))
  self.probes[#self.probes + 1] = probe
  return probe
end

function Rig:step(ms)
  C.peri_loop_step(self.c.loop, ms or 0)
  uv.run("nowait")
end

--- Runs both loops until `ready()` answers; how long it took in ms.
function Rig:await(what, limit_ms, ready)
  local started = uv.hrtime()
  while not ready() do
    local passed = (uv.hrtime() - started) / 1e6
    if passed > limit_ms * proc.patience then
      error(("waited %d ms in vain for %s"):format(passed, what), 2)
    end
    self:step(5)
  end
  return (uv.hrtime() - started) / 1e6
end

--- Runs for a while, to let something be seen not to happen.
function Rig:run(ms)
  local started = uv.hrtime()
  while (uv.hrtime() - started) / 1e6 < ms do
    self:step(5)
  end
end

--- The index (from 1) of the endpoint that has the stream, or nil.
function Rig:endpoint()
  local at = C.peri_watch_rig_endpoint(self.c)
  return at >= 0 and at + 1 or nil
end

function Rig:creates()
  return tonumber(C.peri_watch_rig_creates(self.c))
end

--- A response as if the stream had sent it. Events are { key, value or nil, revision }.
function Rig:forge(fields)
  local forged = ffi.new("struct peri_forged")
  local list = fields.events or {}
  local events = ffi.new("struct peri_forged_event[?]", #list + 1)
  local anchor = {}
  for i, event in ipairs(list) do
    anchor[#anchor + 1] = { event[1], event[2] }
    events[i - 1].key, events[i - 1].value, events[i - 1].revision = event[1], event[2], event[3]
  end
  for name, value in pairs(fields) do
    if name ~= "events" then
      forged[name] = value
    end
  end
  forged.events, forged.event_count = events, #list
  C.peri_watch_rig_forge(self.c, forged)
  return anchor
end

function Rig:raw(bytes)
  C.peri_watch_rig_raw(self.c, cffi.slice(bytes))
end

--- Writes below a prefix until it is stopped; what was acknowledged is in `acknowledged()`.
function Rig:writer(prefix)
  local writer = { c = ffi.new("struct peri_watch_writer"), prefix = prefix }
  assert.equal(0, C.peri_watch_writer_start(writer.c, self.c, writer.prefix))
  self.writers[#self.writers + 1] = writer
  function writer.stop()
    C.peri_watch_writer_stop(writer.c)
  end
  function writer.acknowledged()
    return cffi.string(C.peri_buffer_slice(writer.c.log))
  end
  return writer
end

function Rig:free()
  rigs[self] = nil
  for _, writer in ipairs(self.writers) do
    C.peri_watch_writer_done(writer.c)
  end
  for _, probe in ipairs(self.probes) do
    C.peri_watch_probe_done(probe.c)
  end
  C.peri_watch_rig_free(self.c)
end

function M.free_all()
  for rig in pairs(rigs) do
    rig:free()
  end
end

function Probe:id()
  return tonumber(C.peri_watch_probe_id(self.c))
end

function Probe:next()
  return tonumber(C.peri_etcd_watch_next_revision(self.c.watch))
end

function Probe:live()
  return C.peri_etcd_watch_live(self.c.watch)
end

function Probe:restart(revision)
  C.peri_etcd_watch_restart(self.c.watch, revision)
end

--- Frees the watch; the probe keeps what it saw.
function Probe:free()
  C.peri_etcd_watch_free(self.c.watch)
  self.c.watch = nil
end

function Probe:log()
  return cffi.string(C.peri_buffer_slice(self.c.log))
end

--- What was seen, without the lines of the batches.
function Probe:seen()
  return (self:log():gsub("batch %d+\n", ""))
end

function Probe:text()
  return ffi.string(self.c.text)
end

function Probe:kind()
  return ffi.string(C.peri_etcd_kind_name(self.c.kind))
end

function Probe:await_live(limit_ms)
  return self.rig:await("the watch to be live", limit_ms or 5000, function()
    return self:live()
  end)
end

function Probe:await_events(count, limit_ms)
  return self.rig:await(("%d events"):format(count), limit_ms or 5000, function()
    return self.c.events >= count
  end)
end

--- Checks what holds for every log, whatever happened: revisions rise from batch to batch, so
--- that no revision is split, and none is below `start`.
function Probe:check_order(start)
  local last, batch = start - 1, nil
  for line in self:log():gmatch("[^\n]+") do
    local head = tonumber(line:match("^batch (%d+)$"))
    if head then
      last = batch or last
      batch = head
      assert(head > last, ("batch %d after %d"):format(head, last))
    else
      local revision = tonumber(line:match(" (%d+)$"))
      assert(revision > last and revision <= batch, ("revision %d between %d and %d"):format(revision, last, batch))
    end
  end
end

--- A server that takes connections and never says anything.
function M.mute()
  local tcp = uv.new_tcp()
  assert(tcp:bind("127.0.0.1", 0))
  assert(tcp:listen(16, function() end))
  return tcp, ("http://127.0.0.1:%d"):format(tcp:getsockname().port)
end

return M
