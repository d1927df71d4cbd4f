--- A fake etcd that behaves as a script says, for what no etcd of this version shows. It holds
--- a small store (Range, Put, DeleteRange, Txn, leases that never end, watches without history)
--- and departs from it as told:
---
---   fake:tell({ put = { key = "value" }, lease = "12", delete = { "key" }, expire = { "12" } })
---   fake:tell({ revision = 5 })  fake:tell({ wipe = true })
---   fake:tell({ answers = { Range = { { code = 14, message = "etcdserver: no leader" } } } })
---     the answers to the next requests of a method (Range Put DeleteRange Txn LeaseGrant
---     LeaseRevoke LeaseTimeToLive KeepAlive WatchCreate WatchProgress Authenticate Status), each
---     once or `for_ever`: code and message, hang, delay_ms, `after` (done, but the failure is
---     what the client hears), revision (of the header), no_header, ttl, stuck (of Range: every
---     page holds all keys below the range's end, and promises more)
---   fake:tell({ watch = { on_create = { STEP, … }, for_ever = false } })  the next creation
---   fake:tell({ watch = { on_progress = { STEP, … } } })  every progress request; {} is silence
---   fake:tell({ watch = { send = { STEP, … } } })  now, to every watch there is
---   fake:tell({ watch = { mute = true } })  changes of the store are not told
---     STEP: a response of created, canceled, reason, compact_revision, revision (of the header;
---     the store's by default), no_header, term, member, cluster, watch_id (the watch's own by
---     default), fragment, events = { { key, value, mod, create, lease, delete = true }, … },
---     follow (told of changes from here on; a script that lacks it stays silent); or
---     { wait_ms = n }, or { end_code = 14, end_message = "…" } ends the stream
---   fake:tell({ goaway = { code = 11, debug = "too_many_pings", close = true } })
---   fake:tell({ raw = "hexadecimal" })  into every connection, between gRPC's own bytes
---   fake:tell({ garbage = true })  new connections hear garbage
---   fake:tell({ silent = true })  nothing is read or written; false goes on
---   fake:tell({ reset = true })  connections are reset
local tools = require("spec.support.etcdtools")

local M = {}

M.setup = tools.build

---@class perigee.spec.Fake
---@field tool perigee.spec.Tool
---@field address string
---@field endpoints string[]
local Fake = {}
Fake.__index = Fake

---@return perigee.spec.Fake
function M.start()
  local self = setmetatable({ tool = tools.start("fake") }, Fake)
  self.address = self.tool:await("the fake's address", function(line)
    return line.address
  end)
  self.endpoints = { "http://" .. self.address }
  return self
end

--- Does it, and returns once it is done: revision, streams, conns (how many there are).
---@param order table
function Fake:tell(order)
  return self.tool:tell(order)
end

--- All requests heard so far, of one method or of all: `method`, what it asked for (key,
--- range_end, start_revision, …; leases and IDs are decimal strings), `hasleader`, `token`.
---@param method? string
---@return table[]
function Fake:requests(method)
  self.tool:collect()
  local list = {}
  for _, line in ipairs(self.tool.lines) do
    if line.request and (not method or line.request.method == method) then
      list[#list + 1] = line.request
    end
  end
  return list
end

--- Waits until `count` (1) requests of a method were heard, and returns the last of these.
function Fake:await(method, count, limit_ms)
  local seen = 0
  return self.tool:await(method, function(line)
    if line.request and line.request.method == method then
      seen = seen + 1
      return seen == (count or 1) and line.request
    end
  end, limit_ms)
end

--- How many connections were accepted, and watch streams opened and closed, so far.
function Fake:counts()
  self.tool:collect()
  local conns, opened, closed = 0, 0, 0
  for _, line in ipairs(self.tool.lines) do
    conns = conns + (line.conn and 1 or 0)
    opened = opened + (line.stream == "opened" and 1 or 0)
    closed = closed + (line.stream == "closed" and 1 or 0)
  end
  return { conns = conns, opened = opened, closed = closed }
end

function Fake:stop()
  self.tool:stop()
end

return M
