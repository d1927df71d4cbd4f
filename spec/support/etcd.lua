--- Real etcd clusters for specs: each member is a process that ends with the spec.
local uv = require("luv")
local json = require("spec.support.json")
local proc = require("spec.support.proc")

local M = {}

M.binary = "/usr/bin/etcd"
M.ctl_binary = "/usr/bin/etcdctl"

---@class perigee.spec.Etcd
---@field endpoints string[] URLs of the members, by index
---@field members table[] name, client, peer and metrics ports, process, frozen
---@field folder string
local Cluster = {}
Cluster.__index = Cluster

local clusters = {}

--- One HTTP/1.1 GET that never blocks for longer than `limit_ms`: nil when there is no whole answer.
---@return string? body
local function get(port, path, limit_ms)
  local tcp, timer = uv.new_tcp(), uv.new_timer()
  local got, over = "", false
  timer:start(limit_ms, 0, function()
    over = true
  end)
  tcp:connect("127.0.0.1", port, function(err)
    if err then
      over = true
      return
    end
    tcp:read_start(function(_, bytes)
      got, over = got .. (bytes or ""), over or not bytes
    end)
    tcp:write(("GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"):format(path))
  end)
  while not over do
    uv.run("once")
  end
  tcp:close()
  timer:close()
  uv.run("nowait")
  return got:match("^HTTP/1%.%d 200.-\r\n\r\n(.*)$")
end

local function flags_of(self, member)
  local peers = {}
  for i, each in ipairs(self.members) do
    peers[i] = ("%s=http://127.0.0.1:%d"):format(each.name, each.peer)
  end
  local client = ("%s://127.0.0.1:%d"):format(self.scheme, member.client)
  local peer = ("http://127.0.0.1:%d"):format(member.peer)
  local flags = {
    "--name", member.name, "--data-dir", member.folder .. "/data",
    "--listen-client-urls", client, "--advertise-client-urls", client,
    "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
    "--initial-cluster", table.concat(peers, ","), "--initial-cluster-token", self.folder,
    "--listen-metrics-urls", ("http://127.0.0.1:%d"):format(member.metrics),
    "--logger", "zap", "--log-outputs", member.folder .. "/log",
  }
  if self.fast then
    for _, flag in ipairs({ "--heartbeat-interval", "20", "--election-timeout", "200" }) do
      flags[#flags + 1] = flag
    end
  end
  for _, flag in ipairs(self.flags) do
    flags[#flags + 1] = flag
  end
  return flags
end

--- Members die with the spec, however it ends.
local function spawn(self, index)
  local member = self.members[index]
  os.execute(("mkdir -p -m 700 '%s'"):format(member.folder))
  member.process = proc.start("/usr/bin/setpriv", { "--pdeathsig", "KILL", "--", M.binary, unpack(flags_of(self, member)) })
  member.process.name = member.name
  member.frozen = false
end

local function words(member)
  local file = io.open(member.folder .. "/log")
  local text = file and file:read("*a") or ""
  if file then
    file:close()
  end
  return member.name .. ": " .. text:sub(-2000) .. member.process.err
end

--- Whether a member answers reads that need a quorum.
function Cluster:healthy(index)
  local body = get(self.members[index].metrics, "/health", 1000)
  return body ~= nil and body:find('"true"', 1, true) ~= nil
end

--- Waits until a member, or each that runs, is healthy; false when one of them ended.
---@param index? integer
---@return boolean
function Cluster:await_healthy(index, limit_ms)
  local died = false
  proc.await("etcd to be healthy", limit_ms or 20000, function()
    for i, member in ipairs(self.members) do
      if member.process and not member.frozen and (not index or i == index) then
        died = died or member.process.code ~= nil
        if not died and not self:healthy(i) then
          proc.watch(10)
          return false
        end
      end
    end
    return true
  end, function()
    return words(self.members[index or 1])
  end)
  return not died
end

local function choose_ports(self, count)
  self.endpoints, self.members = {}, {}
  for i = 1, count do
    local name = "m" .. i
    self.members[i] = {
      name = name,
      folder = self.folder .. "/" .. name,
      client = proc.free_port(),
      peer = proc.free_port(),
      metrics = proc.free_port(),
    }
    self.endpoints[i] = ("%s://127.0.0.1:%d"):format(self.scheme, self.members[i].client)
  end
end

--- Starts a cluster and waits until it is healthy. `options`: members (1), fast (elections in
--- 200 ms, so that leases may be as short as 1 s), flags (more of etcd's), scheme ("http"),
--- ctl (arguments for every etcdctl).
---@param options? table
---@return perigee.spec.Etcd
function M.start(options)
  options = options or {}
  local self = setmetatable({
    folder = proc.folder(),
    flags = options.flags or {},
    fast = options.fast,
    scheme = options.scheme or "http",
    ctl_args = options.ctl or {},
  }, Cluster)
  clusters[self] = true
  for attempt = 1, 3 do
    choose_ports(self, options.members or 1)
    for i = 1, #self.members do
      spawn(self, i)
    end
    if self:await_healthy() then
      return self
    end
    -- Somebody else took a port between probing and listening.
    local why = {}
    for i, member in ipairs(self.members) do
      why[i] = words(member)
    end
    self:drop()
    assert(attempt < 3, "etcd does not start: " .. table.concat(why, "\n"))
  end
end

--- Ends a member, or all, with SIGKILL and waits for their end.
---@param index? integer
function Cluster:kill(index)
  for i, member in ipairs(self.members) do
    if (not index or i == index) and member.process then
      member.process:destroy()
      member.process, member.frozen = nil, false
    end
  end
end

local function state_of(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  local state = file and file:read("*a"):match("%) (%a)")
  if file then
    file:close()
  end
  return state
end

--- Stops a member, or all, with SIGSTOP.
---@param index? integer
function Cluster:freeze(index)
  for i, member in ipairs(self.members) do
    if (not index or i == index) and member.process then
      member.process:kill("sigstop")
      member.frozen = true
      while state_of(member.process.pid) ~= "T" do
        uv.run("nowait")
      end
    end
  end
end

--- Lets a member, or all, go on.
---@param index? integer
function Cluster:thaw(index)
  for i, member in ipairs(self.members) do
    if (not index or i == index) and member.frozen then
      member.process:kill("sigcont")
      member.frozen = false
    end
  end
end

--- Kills a member, or all, and starts it again. `options`: wipe (without its data; of a cluster
--- only all members together), wait (false: does not wait until it is healthy).
---@param index? integer
---@param options? table
function Cluster:restart(index, options)
  options = options or {}
  self:kill(index)
  assert(not options.wipe or not index or #self.members == 1, "one member of several cannot be wiped")
  for i, member in ipairs(self.members) do
    if not index or i == index then
      if options.wipe then
        os.execute(("rm -rf '%s'"):format(member.folder))
      end
      spawn(self, i)
    end
  end
  if options.wait ~= false then
    assert(self:await_healthy(index), "etcd ended when it was started again")
  end
end

--- All data lost at once: the cluster begins anew on the same ports.
function Cluster:wipe(options)
  self:restart(nil, { wipe = true, wait = options and options.wait })
end

--- The index of the member that leads among those that run; waits for an election.
---@return integer
function Cluster:leader(limit_ms)
  return proc.await("a leader", limit_ms or 10000, function()
    for i, member in ipairs(self.members) do
      local body = member.process and not member.frozen and get(member.metrics, "/metrics", 1000)
      if body and body:find("\netcd_server_is_leader 1", 1, true) then
        return i
      end
    end
    proc.watch(20)
  end)
end

--- Hands the lead to a member.
---@param index integer
function Cluster:lead(index)
  local leader = self:leader()
  if leader ~= index then
    local id = self:ctl("member", "list"):match("(%x+), started, " .. self.members[index].name .. ",")
    local args = { "--endpoints", self.endpoints[leader], unpack(self.ctl_args) }
    args[#args + 1], args[#args + 2] = "move-leader", id
    local run = proc.run(M.ctl_binary, args, { env = { ETCDCTL_API = "3" } })
    assert(run.code == 0, run.err)
    proc.await("another leader", 5000, function()
      return self:leader() == index
    end)
  end
end

--- The value of one of a member's own metrics, 0 when it has none of that name.
---@param name string
---@return number
function Cluster:metric(index, name)
  local body = assert(get(self.members[index].metrics, "/metrics", 2000), "no metrics")
  local sum = 0
  for line in body:gmatch("[^\n]+") do
    local series, value = line:match("^(%S+)%s+(%S+)$")
    if series == name or (series and series:sub(1, #name + 1) == name .. "{") then
      sum = sum + tonumber(value)
    end
  end
  return sum
end

--- Runs etcdctl (API 3) on the members that run.
---@return perigee.spec.Process
function Cluster:try(...)
  local endpoints = {}
  for i, member in ipairs(self.members) do
    if member.process and not member.frozen then
      endpoints[#endpoints + 1] = self.endpoints[i]
    end
  end
  local args = { "--endpoints", table.concat(endpoints, ","), unpack(self.ctl_args) }
  for _, arg in ipairs({ ... }) do
    args[#args + 1] = tostring(arg)
  end
  return proc.run(M.ctl_binary, args, { env = { ETCDCTL_API = "3" } })
end

--- As try(), and it must succeed.
---@return string stdout
function Cluster:ctl(...)
  local run = self:try(...)
  assert(run.code == 0, ("etcdctl %s: %s%s"):format(table.concat({ ... }, " "), run.out, run.err))
  return run.out
end

local function decode64(text)
  return (text:gsub("[^%w+/]", ""):gsub("..?.?.?", function(four)
    local bits, chars = 0, {}
    for char in four:gmatch(".") do
      local at = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"):find(char, 1, true) - 1
      bits = bits * 64 + at
    end
    bits = bits * 64 ^ (4 - #four)
    for i = 1, #four - 1 do
      chars[i] = string.char(math.floor(bits / 256 ^ (3 - i)) % 256)
    end
    return table.concat(chars)
  end))
end

--- What is stored below a prefix, by key: value, lease (hexadecimal), mod_revision.
---@param prefix? string everything by default
---@return table<string, table> records
---@return integer count
function Cluster:read(prefix)
  local found, count = {}, 0
  local text = self:ctl("get", "--prefix", "-w", "json", prefix or "")
  -- Leases do not fit a double: taken from the text.
  for object in text:gmatch('{"key":[^}]+}') do
    local record = json.decode((object:gsub('"lease":(%d+)', '"lease":"%1"')))
    found[decode64(record.key)] = {
      value = decode64(record.value or ""),
      lease = record.lease or "0",
      mod_revision = record.mod_revision,
    }
    count = count + 1
  end
  return found, count
end

--- The leases there are, in hexadecimal.
---@return string[]
function Cluster:leases()
  local list = {}
  for id in self:ctl("lease", "list"):gmatch("\n(%x+)") do
    list[#list + 1] = id
  end
  return list
end

--- Ends all members; their data are gone.
function Cluster:drop()
  self:kill()
  os.execute(("rm -rf '%s'/*"):format(self.folder))
end

function Cluster:stop()
  if clusters[self] then
    clusters[self] = nil
    self:kill()
    proc.remove(self.folder)
  end
end

--- Stops every cluster. For `teardown` and `after_each`.
function M.stop_all()
  for cluster in pairs(clusters) do
    cluster:stop()
  end
end

return M
