--- What etcd's members say in their logs of the elections since a moment: how long there was
--- no leader, which nobody outside etcd can shorten.
local uv = require("luv")

local M = {}

-- Logs tell local time; its distance to UTC is a multiple of this everywhere.
local ZONE_MS = 15 * 60 * 1000

---@class perigee.spec.Election
local Election = {}
Election.__index = Election

local function log_of(member)
  return assert(io.open(member.folder .. "/log"))
end

--- Begins to listen, just before something is done to the leader.
---@param cluster perigee.spec.Etcd
---@return perigee.spec.Election
function M.watch(cluster)
  local seconds, micros = uv.gettimeofday()
  local self = setmetatable({ began_ms = seconds * 1000 + micros / 1000, members = cluster.members, from = {} }, Election)
  for i, member in ipairs(cluster.members) do
    local file = log_of(member)
    self.from[i] = file:seek("end")
    file:close()
  end
  return self
end

--- Milliseconds from the beginning until the first leader after it, nil when there was none, and
--- how many elections that took: the first may fail, because two members stood at once.
---@return number? leaderless_ms, integer elections
function Election:told()
  local least, terms, elections = nil, {}, 0
  for i, member in ipairs(self.members) do
    local file = log_of(member)
    file:seek("set", self.from[i])
    for line in file:lines() do
      local minutes, seconds = line:match('"ts":"[^"]-T%d+:(%d+):([%d.]+)')
      local term = line:match("became candidate at term (%d+)")
      if term and not terms[term] then
        terms[term] = true
        elections = elections + 1
      end
      if minutes and line:find("became leader at term", 1, true) then
        local ms = (minutes * 60000 + seconds * 1000 - self.began_ms) % ZONE_MS
        least = math.min(least or ms, ms)
      end
    end
    file:close()
  end
  return least, elections
end

return M
