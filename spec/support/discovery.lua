--- Sidecars that find one another through etcd, and what they say of it.
local uv = require("luv")
local elections = require("spec.support.elections")
local etcd = require("spec.support.etcd")
local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local tools = require("spec.support.etcdtools")

local M = {}

--- Whether the long forms are to run (make soak).
M.long = os.getenv("PERI_SOAK") ~= nil

--- What is long in `make soak` has a short form in `make test`.
function M.either(soak, short)
  return M.long and soak or short
end

--- Call from `setup`, and M.teardown from `teardown`.
function M.setup()
  sidecar.setup()
  tools.build()
end

--- Ends what a spec started; call from `after_each` where each has its own.
function M.reset()
  proc.destroy_all()
  etcd.stop_all()
end

function M.teardown()
  etcd.stop_all()
  sidecar.teardown()
end

--- Milliseconds of the monotonic clock.
function M.now()
  return uv.hrtime() / 1e6
end

---@class perigee.spec.Car: perigee.spec.Sidecar
---@field port integer of the mesh listener
---@field address string what others dial
---@field config string
local Car = {}
Car.__index = Car

local function text_of(options)
  local endpoints = {}
  for i, each in ipairs(options.endpoints) do
    endpoints[i] = ("%q"):format(each)
  end
  return ([[
return {
  workers = WORKERS,
  node = { address = "127.0.0.1:PORT", ZONE },
  listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:PORT", admin = "ADMIN" },
  registry = { kind = "etcd", endpoints = { ENDPOINTS }, ttl = "TTL", REGISTRY },
  groups = { g = { bytes = "4MiB", ttl = "100ms", peer_timeout = "1s", fallback = { "static_reply", value = "from PORT" } } },
  provides = { PROVIDES },
  drain = "DRAIN",
  EXTRA
}
]]):gsub("%u%u%u+", {
    WORKERS = tostring(options.workers or 2),
    PORT = tostring(options.port),
    ADMIN = options.admin or "127.0.0.1:0",
    ZONE = options.zone and ("zone = %q"):format(options.zone) or "",
    ENDPOINTS = table.concat(endpoints, ", "),
    TTL = options.ttl or "5s",
    REGISTRY = options.registry or "",
    PROVIDES = options.provides or "",
    DRAIN = options.drain or "1s",
    EXTRA = options.extra or "",
  })
end

--- The configuration of a sidecar. `options`: endpoints, ttl ("5s"), port, registry (more text
--- for that section), provides, extra, drain, zone, workers, admin.
function M.config(options)
  options.port = options.port or proc.free_port()
  return (text_of(options))
end

--- Starts a sidecar without waiting for anything.
---@return perigee.spec.Process, string file
function M.launch(options)
  return sidecar.launch(M.config(options), { args = options.args })
end

--- Starts a sidecar and waits until it is ready, as described for M.config().
---@return perigee.spec.Car
function M.start(options)
  local config = M.config(options)
  local started = sidecar.start(config, { args = options.args, env = options.env })
  local car = setmetatable({}, {
    __index = function(_, name)
      return Car[name] or started[name]
    end,
  })
  car.wanted = {}
  car.options, car.port, car.address = options, options.port, "127.0.0.1:" .. options.port
  return car
end

--- What `perigee services --json` says.
---@param name? string of one service
function Car:services(name)
  local run = name and self:cli("services", "--json", name) or self:cli("services", "--json")
  assert(run.code == 0, run.err)
  return json.decode(run.out)
end

--- What is known of one service, or nil.
function Car:service(name)
  for _, service in ipairs(self:services().services) do
    if service.name == name then
      return service
    end
  end
end

--- What the sidecar itself registers of a service, or nil.
function Car:own(service)
  for _, own in ipairs(self:services().own) do
    if own.service == service then
      return own
    end
  end
end

--- The endpoints of a service by address, and their number; nil when it is not known. Asks to
--- know it from now on.
---@return table<string, table>? peers, integer count
function Car:peers(service)
  if not self.wanted[service] then
    self.wanted[service] = true
    self:services(service)
  end
  local run = self:cli("peers", "--json", service)
  if run.code ~= 0 then
    return nil, 0
  end
  for _, each in ipairs(json.decode(run.out).services) do
    if each.name == service then
      local peers = {}
      for _, peer in ipairs(each.peers) do
        peers[peer.address] = peer
      end
      return peers, #each.peers
    end
  end
  return nil, 0
end

--- Repeats until `done()` answers.
---@param what string
function M.until_true(what, limit_ms, done)
  local last
  return proc.await(what, limit_ms, function()
    last = done()
    if not last then
      proc.watch(10)
    end
    return last
  end)
end

--- Waits until a service has exactly these addresses, and returns its peers.
---@param addresses string[]
function Car:await_peers(service, addresses, limit_ms)
  local seen = {}
  return proc.await("the endpoints of " .. service, limit_ms or 5000, function()
    local peers, count = self:peers(service)
    seen = peers or {}
    local all = count == #addresses
    for _, address in ipairs(addresses) do
      all = all and seen[address] ~= nil
    end
    if all then
      return seen
    end
    proc.watch(10)
  end, function()
    return "it has " .. json.encode(seen) .. "\n" .. self.process.err
  end)
end

--- Waits until the registry as a whole is in a state, and returns all it says of itself.
function Car:await_state(state, limit_ms)
  local last
  return proc.await("the registry to be " .. state, limit_ms or 5000, function()
    last = self:services()
    if last.state == state then
      return last
    end
    proc.watch(10)
  end, function()
    return json.encode(last) .. "\n" .. self.process.err
  end)
end

--- Waits until a failure that lasts has this name.
function Car:await_trouble(kind, limit_ms)
  local last
  return proc.await("trouble " .. kind, limit_ms or 10000, function()
    last = self:services()
    if last.trouble == kind then
      return last
    end
    proc.watch(20)
  end, function()
    return json.encode(last) .. "\n" .. self.process.err
  end)
end

--- The status of /ready, and its body.
function Car:ready()
  return proc.http("GET", self.admin, "/ready")
end

function Car:restart()
  local options = self.options
  self.process:destroy()
  return M.start(options)
end

--- CPU seconds that it has used so far.
function Car:cpu()
  local file = assert(io.open("/proc/" .. self.process.pid .. "/stat"))
  local user, system = file:read("*a"):match("%) %a" .. (" %S+"):rep(10) .. " (%d+) (%d+)")
  file:close()
  return (tonumber(user) + tonumber(system)) / 100
end

--- KiB of memory that it has resident.
function Car:resident_kib()
  local file = assert(io.open("/proc/" .. self.process.pid .. "/status"))
  local kib = file:read("*a"):match("VmRSS:%s+(%d+)")
  file:close()
  return tonumber(kib)
end

--- Something that answers connections, as an application that lives does.
---@return table with address and close()
function M.listener(port)
  local tcp = uv.new_tcp()
  assert(tcp:bind("127.0.0.1", port or 0))
  assert(tcp:listen(128, function()
    local conn = uv.new_tcp()
    tcp:accept(conn)
    conn:close()
  end))
  local at = tcp:getsockname().port
  return {
    port = at,
    address = "127.0.0.1:" .. at,
    close = function()
      if not tcp:is_closing() then
        tcp:close()
      end
      uv.run("nowait")
    end,
  }
end

--- A record as etcd's naming package writes it.
function M.record(address, metadata)
  return ('{"Op":0,"Addr":"%s","Metadata":%s}'):format(address, metadata or "null")
end

--- Puts an endpoint by hand; without a lease unless one is named.
function M.put(cluster, service, address, metadata, lease)
  local args = { "put", service .. "/" .. address, M.record(address, metadata) }
  if lease then
    args[#args + 1] = "--lease=" .. lease
  end
  cluster:ctl(unpack(args))
end

--- Waits until a key is there (or, with `gone`, is not), and returns its record.
function M.await_key(cluster, key, limit_ms, gone)
  return M.until_true((gone and "no key " or "the key ") .. key, limit_ms or 5000, function()
    local found = cluster:read(key)[key]
    return (gone and not found) or (not gone and found) or nil
  end)
end

--- Stops the leader with SIGSTOP for `ms`, and lets it go on; `car` has a lease of 5 s. Returns
--- whether its registration went on, the worst gap between two renewals (each restores all of the
--- lease), how much of that etcd had no leader, and how many elections it held.
---@return table survived, gap_ms, leaderless_ms, elections
function M.stop_leader(cluster, car, ms)
  local key = "GroupCache/" .. car.address
  local before = M.await_key(cluster, key, 10000)
  local leader = cluster:leader()
  local election = elections.watch(cluster)
  cluster:freeze(leader)
  local stop, least = M.now() + ms, math.huge
  while M.now() < stop do
    least = math.min(least, car:services().lease_remaining_ms)
    proc.watch(10)
  end
  local after = cluster:read(key)[key]
  local leaderless, held = election:told()
  -- A leader of this version that wakes up may revoke leases that live: what it does counts no more.
  cluster:thaw(leader)
  cluster:await_healthy()
  return {
    survived = after ~= nil and after.lease == before.lease and after.mod_revision == before.mod_revision,
    gap_ms = 5000 - least,
    leaderless_ms = leaderless,
    elections = held,
  }
end

local function field(number, text)
  assert(#text < 128)
  return string.char(number * 8 + 2, #text) .. text
end

local function base64(text)
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  return (text:gsub("..?.?", function(three)
    local bits, chars = 0, {}
    for i = 1, 3 do
      bits = bits * 256 + (three:byte(i) or 0)
    end
    for i = 1, 4 do
      local at = math.floor(bits / 64 ^ (4 - i)) % 64 + 1
      chars[i] = i <= #three + 1 and alphabet:sub(at, at) or "="
    end
    return table.concat(chars)
  end))
end

--- Asks a sidecar to register a service of the application, or to take it out again.
---@return table answer of the Go client: code, message, millis
function Car:register(service, address, health)
  local body = field(1, service) .. field(2, address) .. field(4, health or "tcp")
  return self:call({ verb = "raw", path = "/perigee.v1.Mesh/Register", body = base64(body) })
end

function Car:deregister(service)
  return self:call({ verb = "raw", path = "/perigee.v1.Mesh/Deregister", body = base64(field(1, service)) })
end

--- How many lines of the log hold a text.
function Car:logged(text)
  local count = 0
  for line in self.process.err:gmatch("[^\n]+") do
    count = count + (line:find(text, 1, true) and 1 or 0)
  end
  return count
end

--- Keeps calling Get on a sidecar until stopped; done() returns what came back.
function M.storm(targets, seconds)
  local process = proc.start(sidecar.client_binary, {
    "storm", "-target", targets, "-group", "g", "-key", "k", "-keys", "200", "-workers", "4",
    "-for", seconds .. "s", "-timeout", "10s",
  })
  return {
    done = function()
      process:wait((seconds + 30) * 1000)
      assert(process.code == 0, process.err)
      return json.decode(process.out)
    end,
  }
end

return M
