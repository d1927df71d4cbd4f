--- Sessions for the specs of this room, driven from Lua.
local uv = require("luv")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "etcd/session_shim.h", "base/metrics.h" })

local M = { C = C, ffi = ffi, slice = cffi.slice }

local slice = cffi.slice
local rigs, kept = {}, {}

--- Keeps Lua's values that C borrows until the spec is over.
local function keep(value)
  kept[#kept + 1] = value
  return value
end

local Rig = {}
Rig.__index = Rig

--- The options as C has them.
local function options_of(given)
  local options = ffi.new("struct peri_etcd_options")
  local list = ffi.new("const char *[?]", #given.endpoints + 1)
  for i, endpoint in ipairs(given.endpoints) do
    list[i - 1] = keep(endpoint)
  end
  options.endpoints, options.endpoint_count = keep(list), #given.endpoints
  for _, name in ipairs({ "ca", "certificate", "key", "server_name", "user", "password" }) do
    options[name] = slice(keep(given[name] or ""))
  end
  options.tls = given.tls or false
  options.timeout_ms, options.attempt_ms = given.timeout_ms or 0, given.attempt_ms or 0
  options.metrics = given.metrics
  return keep(options)
end

--- Opens a session. `options` as in C; timeouts are stretched for slow builds.
---@return table? rig, integer code, string words
function M.open(given)
  local problem = ffi.new("struct peri_problem")
  local options = options_of(given)
  if proc.patience > 1 and given.timeout_ms == nil then
    options.timeout_ms, options.attempt_ms = 2000 * proc.patience, 700 * proc.patience
  end
  local ptr = C.etcd_rig_new(options, problem)
  if ptr == nil then
    return nil, problem.code, ffi.string(problem.text)
  end
  local rig = setmetatable({ ptr = ptr, outcomes = {} }, Rig)
  rig.etcd = C.etcd_rig_session(ptr)
  rigs[rig] = true
  return rig, 0, ""
end

function Rig:step(ms)
  C.etcd_rig_step(self.ptr, ms or 2)
  uv.run("nowait")
end

function Rig:await(what, done, limit_ms)
  local until_ns = uv.hrtime() + (limit_ms or 10000) * proc.patience * 1e6
  while not done() do
    if uv.hrtime() > until_ns then
      error("waited in vain for " .. what, 2)
    end
    self:step()
  end
end

--- Steps for a while, to see something not happen.
function Rig:watch(ms)
  local until_ns = uv.hrtime() + ms * 1e6
  while uv.hrtime() < until_ns do
    self:step()
  end
end

local function outcome(self)
  local made = C.etcd_outcome_new()
  self.outcomes[#self.outcomes + 1] = made
  return made
end

local names = { [0] = "ok" }
for kind = 1, tonumber(C.PERI_ETCD_KINDS) - 1 do
  names[kind] = ffi.string(C.peri_etcd_kind_name(kind))
end

local function rows_of(text)
  local rows = {}
  for key, value, create, mod, version, lease in text:gmatch("([^\t\n]*)\t([^\t\n]*)\t(%-?%d+)\t(%-?%d+)\t(%-?%d+)\t(%-?%d+)\n") do
    rows[#rows + 1] = {
      key = key,
      value = value,
      create = tonumber(create),
      mod = tonumber(mod),
      version = tonumber(version),
      lease = lease,
    }
  end
  return rows
end

--- What came of it, as a table: kind, text, bytes, rows, revision, number, flag, ms.
function M.read(made)
  local bytes = made.bytes.len > 0 and ffi.string(made.bytes.ptr, made.bytes.len) or ""
  return {
    kind = names[made.kind],
    status = made.status,
    text = ffi.string(made.text),
    bytes = bytes,
    rows = rows_of(bytes),
    revision = tonumber(made.revision),
    number = tonumber(made.number),
    raft_term = tonumber(made.raft_term),
    flag = made.flag,
    messages = made.messages,
    ms = tonumber(made.took_ns) / 1e6,
    count = made.count,
  }
end

--- Waits for the end of what was started.
function Rig:finish(made, limit_ms)
  assert(made.code == 0, "not started: " .. made.code)
  self:await("the end of a call", function()
    return made.count > 0
  end, limit_ms)
  return M.read(made)
end

function Rig:start_call(path, message, more)
  more = more or {}
  local made = outcome(self)
  local request = ffi.new("struct peri_etcd_request", {
    path = path,
    message = slice(message),
    replay = more.replay ~= false,
    leaderless = more.leaderless or false,
    timeout_ms = more.timeout_ms or 0,
    endpoint = more.endpoint or -1,
  })
  C.etcd_rig_call(self.ptr, made, request)
  return made
end

function Rig:start_range(key, more)
  more = more or {}
  local range = ffi.new("struct peri_etcd_range", {
    key = slice(key),
    range_end = slice(more.range_end or ""),
    limit = more.limit or 0,
    revision = more.revision or 0,
    sort = more.newest_first and C.PERI_ETCD_NEWEST_FIRST or C.PERI_ETCD_BY_KEY,
    serializable = more.serializable or false,
    keys_only = more.keys_only or false,
    count_only = more.count_only or false,
  })
  local made = outcome(self)
  C.etcd_rig_range(self.ptr, made, range)
  return made
end

function Rig:start_put(key, value, lease)
  local made = outcome(self)
  C.etcd_rig_put(self.ptr, made, slice(key), slice(value), lease or 0)
  return made
end

function Rig:start_delete(key, range_end)
  local made = outcome(self)
  C.etcd_rig_delete(self.ptr, made, slice(key), slice(range_end or ""))
  return made
end

function Rig:start_scan(prefix, page, more)
  more = more or {}
  local made = outcome(self)
  made.cancel_at = more.cancel_at or 0
  C.etcd_rig_scan(self.ptr, made, slice(prefix), page or 0, more.serializable or false)
  return made
end

function Rig:start_status(endpoint)
  local made = outcome(self)
  C.etcd_rig_status(self.ptr, made, endpoint)
  return made
end

function Rig:start_stream(path, endpoint, more)
  local made = outcome(self)
  made.cancel_at = more and more.cancel_at or 0
  C.etcd_rig_stream(self.ptr, made, path, endpoint or -1)
  return made
end

local function ops_of(list)
  local ops = ffi.new("struct peri_etcd_op[?]", #list + 1)
  for i, op in ipairs(list) do
    ops[i - 1].kind = ({ get = 0, put = 1, delete = 2 })[op[1]]
    ops[i - 1].key = slice(op[2])
    ops[i - 1].value = slice(op[3] or "")
    ops[i - 1].range_end = slice(op.range_end or "")
    ops[i - 1].lease = op.lease or 0
  end
  return ops
end

--- `compares`: { target, key, relation, number or text }; `then`, `otherwise`: { "put", key, value }.
function Rig:start_txn(txn)
  local compares = ffi.new("struct peri_etcd_compare[?]", #txn.compares + 1)
  for i, compare in ipairs(txn.compares) do
    compares[i - 1].target = ({ version = 0, create = 1, mod = 2, value = 3, lease = 4 })[compare[1]]
    compares[i - 1].key = slice(compare[2])
    compares[i - 1].relation = ({ ["="] = 0, [">"] = 1, ["<"] = 2, ["~"] = 3 })[compare[3]]
    if compare[1] == "value" then
      compares[i - 1].value = slice(compare[4])
    else
      compares[i - 1].number = compare[4]
    end
  end
  local made = outcome(self)
  local yes, no = ops_of(txn.yes or {}), ops_of(txn.no or {})
  local whole = ffi.new("struct peri_etcd_txn", {
    compares = compares,
    compare_count = #txn.compares,
    ["then"] = yes,
    then_count = #(txn.yes or {}),
    otherwise = no,
    otherwise_count = #(txn.no or {}),
    replay = txn.replay or false,
  })
  C.etcd_rig_txn(self.ptr, made, whole)
  return made
end

for _, name in ipairs({ "call", "range", "put", "delete", "scan", "status", "txn" }) do
  Rig[name] = function(self, ...)
    return self:finish(self["start_" .. name](self, ...))
  end
end

--- Closes the session, waits, and frees all.
function Rig:close()
  if not rigs[self] then
    return
  end
  rigs[self] = nil
  C.etcd_rig_close(self.ptr)
  self:await("the session to close", function()
    return C.etcd_rig_closed(self.ptr)
  end)
  assert(C.etcd_rig_free(self.ptr) == 0)
  for _, made in ipairs(self.outcomes) do
    C.etcd_outcome_free(made)
  end
end

function M.close_all()
  for rig in pairs(rigs) do
    rig:close()
  end
  kept = {}
end

return M
