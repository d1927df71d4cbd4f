--- A TCP proxy in front of a server that does to its connections what networks do.
local tools = require("spec.support.etcdtools")

local M = {}

M.setup = tools.build

---@class perigee.spec.Partition
---@field address string host:port to dial instead of the server
---@field url string
local Partition = {}
Partition.__index = Partition

--- Stands in front of `target`: "host:port" or a URL, whose scheme `url` keeps.
---@param target string
---@return perigee.spec.Partition
function M.start(target)
  local scheme, address = target:match("^(%a+)://(.*)$")
  local tool = tools.start("proxy", "-target", address or target)
  local self = setmetatable({ tool = tool }, Partition)
  self.address = tool:await("the proxy's address", function(line)
    return line.address
  end)
  self.url = (scheme or "http") .. "://" .. self.address
  return self
end

local function set(self, mode, more)
  local order = more or {}
  order.mode = mode
  local told = self.tool:tell(order)
  return told.conns, told.came
end

--- Each returns how many connections there were, and how many had been made in all. What it does holds until the next.
function Partition:pass()
  return set(self, "pass")
end

--- Bytes arrive that much later.
function Partition:delay(ms)
  return set(self, "delay", { ms = ms })
end

--- Nothing moves any more, connections stay; afterwards all of it arrives.
function Partition:blackhole()
  return set(self, "blackhole")
end

--- The server's side is closed, the clients are never told, not even afterwards.
function Partition:halfopen()
  return set(self, "halfopen")
end

--- After so many more bytes from the server, each connection that speaks ends.
function Partition:truncate(bytes)
  return set(self, "truncate", { bytes = bytes })
end

--- Connections are reset and new ones refused.
function Partition:refuse()
  return set(self, "refuse")
end

--- Connections are reset; new ones pass.
function Partition:reset()
  return set(self, "reset")
end

function Partition:stop()
  self.tool:stop()
end

return M
