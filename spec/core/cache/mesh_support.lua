--- Sidecars for the specs of the cache: several nodes with workers of their own
--- and a client, over real HTTP/2, with messages written and read here.
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "cache/mesh_shim.h", "cache/liar_shim.h", "base/status.h" })

local M = {}

local Mesh = {}
Mesh.__index = Mesh

local function varint(number)
  local bytes = {}
  local value = ffi.cast("uint64_t", number)
  repeat
    local low = tonumber(value % 128)
    value = value / 128
    bytes[#bytes + 1] = string.char(value > 0 and low + 128 or low)
  until value == 0
  return table.concat(bytes)
end

--- A field: bytes for a string, a varint for a number.
function M.field(number, value)
  if type(value) == "string" then
    return varint(number * 8 + 2) .. varint(#value) .. value
  end
  return varint(number * 8) .. varint(value)
end

--- The fields of a message: lists by number.
function M.fields(message)
  local at, out = 1, {}
  local function number()
    local value, shift = 0ULL, 1ULL
    while true do
      local byte = message:byte(at)
      at = at + 1
      value = value + (byte % 128) * shift
      shift = shift * 128
      if byte < 128 then
        return value
      end
    end
  end
  while at <= #message do
    local tag = tonumber(number())
    local value = number()
    if tag % 8 == 2 then
      local len = tonumber(value)
      value = message:sub(at, at + len - 1)
      at = at + len
    end
    local id = math.floor(tag / 8)
    out[id] = out[id] or {}
    table.insert(out[id], value)
  end
  return out
end

function M.request(group, keys, value, expire)
  local text = M.field(1, group)
  for _, key in ipairs(type(keys) == "table" and keys or { keys }) do
    text = text .. M.field(2, key)
  end
  return text .. (value and M.field(3, value) or "") .. (expire and M.field(4, expire) or "")
end

---@param options { nodes: integer?, workers: integer?, groups: string?, peers: boolean? }
function M.mesh(options)
  local words = ffi.new("char[500]")
  local nodes = options.nodes or 1
  local config = '{"groups":' .. (options.groups or '{"scores":{"fallback":"fake"}}') .. "}"
  local handle = C.peri_shim_mesh_new(nodes, options.workers or 1, cffi.slice(config), words)
  assert(handle ~= nil, ffi.string(words))
  local mesh = setmetatable({ handle = handle, kept = {}, nodes = nodes }, Mesh)
  if options.peers ~= false then
    for node = 0, nodes - 1 do
      mesh:peers(node, 2 ^ nodes - 1)
    end
  end
  return mesh
end

function Mesh:free()
  C.peri_shim_mesh_free(self.handle)
end

function Mesh:peers(node, mask)
  C.peri_shim_mesh_peers(self.handle, node, mask)
end

function Mesh:owner(owner)
  for node = 0, self.nodes - 1 do
    C.peri_shim_policy_owner(self:policy(node), owner)
  end
end

--- Starts a peer that lies, and makes it the owner of all keys for `node`.
function Mesh:liar(node)
  C.peri_shim_mesh_liar(self.handle)
  self:owner(C.SHIM_OWNER_RING)
  self:peers(node or 0, 2 ^ 30)
end

--- What the liar does from now on, and says.
function Mesh:lie(what, says)
  self.lies = says or ""
  C.peri_shim_liar_does(self.handle, what, cffi.slice(self.lies))
end

function Mesh:asked()
  return C.peri_shim_liar_asked(self.handle)
end

function Mesh:policy(node)
  return C.peri_shim_mesh_policy(self.handle, node)
end

function Mesh:hold(node, hold)
  C.peri_shim_policy_hold(self:policy(node), hold)
end

function Mesh:fetches(node)
  return C.peri_shim_policy_fetches(self:policy(node))
end

function Mesh:cause(node)
  local text = ffi.new("char[256]")
  C.peri_shim_policy_cause(self:policy(node), text, 256)
  return ffi.string(text)
end

function Mesh:address(node)
  return ffi.string(C.peri_shim_mesh_address(self.handle, node))
end

function Mesh:metric(node, name, labels)
  return tonumber(C.peri_shim_mesh_metric(self.handle, node, name, labels or 'group="scores"'))
end

--- Starts `count` calls. Options: node, worker (-1: mesh), timeout, hop, count.
---@return integer first number
function Mesh:start(method, message, options)
  options = options or {}
  self.kept[#self.kept + 1] = message
  local ask = ffi.new("struct peri_shim_ask", {
    node = options.node or 0,
    worker = options.worker or 0,
    method = method,
    message = cffi.slice(message),
    timeout_ms = options.timeout or 0,
    hop = options.hop or false,
  })
  local number = C.peri_shim_mesh_calls(self.handle, ask, options.count or 1)
  assert(number >= 0, "the call did not start")
  return number
end

function Mesh:step(ms)
  C.peri_shim_mesh_step(self.handle, ms or 5)
end

--- Runs the client until `condition` holds.
function Mesh:await(condition, what)
  local deadline = os.time() + 20 * proc.patience
  while not condition() do
    assert(os.time() < deadline, "waited too long for " .. (what or "a condition"))
    self:step(2)
  end
end

function Mesh:result(number)
  local status = C.peri_shim_mesh_status(self.handle, number)
  local message = cffi.string(C.peri_shim_mesh_message(self.handle, number))
  local fields = status == 0 and M.fields(message) or {}
  return {
    status = status,
    message = message,
    fields = fields,
    value = status == 0 and (fields[1] and fields[1][1] or "") or nil,
    text = cffi.string(C.peri_shim_mesh_text(self.handle, number)),
  }
end

function Mesh:finish(number)
  self:await(function()
    return C.peri_shim_mesh_status(self.handle, number) ~= -1
  end, "an answer")
  return self:result(number)
end

--- Runs until no call is under way.
function Mesh:drain()
  self:await(function()
    return C.peri_shim_mesh_open(self.handle) == 0
  end, "all answers")
end

function Mesh:status(number)
  return C.peri_shim_mesh_status(self.handle, number)
end

function Mesh:ended(status)
  return C.peri_shim_mesh_ended(self.handle, status)
end

function Mesh:call(method, message, options)
  return self:finish(self:start(method, message, options))
end

function Mesh:get(key, options)
  return self:call("Get", M.request(options and options.group or "scores", key), options)
end

function Mesh:set(key, value, expire, options)
  return self:call("Set", M.request("scores", key, value, expire), options)
end

function Mesh:remove(key, options)
  local result = self:call("Remove", M.request("scores", key), options)
  result.removed = result.status == 0 and result.fields[1] ~= nil
  return result
end

--- Prepares other groups on a node; nil and words when they are refused.
function Mesh:prepare(groups, node)
  local words = ffi.new("char[500]")
  local config = '{"groups":' .. groups .. "}"
  if C.peri_shim_mesh_prepare(self.handle, node or 0, cffi.slice(config), words) < 0 then
    return nil, ffi.string(words)
  end
  return true
end

--- Takes other groups over on a node.
function Mesh:reload(groups, node)
  assert(self:prepare(groups, node))
  C.peri_shim_mesh_commit(self.handle, node or 0)
end

--- Groups that are gone and not yet freed, and their bytes.
function Mesh:retired(node)
  local bytes = ffi.new("uint64_t[1]")
  return C.peri_shim_mesh_retired(self.handle, node or 0, bytes), tonumber(bytes[0])
end

--- Sweeps until what is gone is freed.
function Mesh:sweep_all(node)
  self:await(function()
    for _ = 1, 100 do
      C.peri_shim_mesh_sweep(self.handle, node or 0)
    end
    return self:retired(node) == 0
  end, "the sweep")
end

--- Pickers and fallbacks that a node has now.
function Mesh:alive(node)
  local policy = self:policy(node or 0)
  return C.peri_shim_policy_made(policy) - C.peri_shim_policy_freed(policy)
end

function Mesh:cancel(number)
  C.peri_shim_mesh_cancel(self.handle, number)
end

function Mesh:stop(node)
  C.peri_shim_mesh_stop(self.handle, node)
end

--- Now, in Unix nanoseconds.
function M.now()
  return ffi.cast("int64_t", os.time()) * 1000000000LL
end

M.status = C
return M
