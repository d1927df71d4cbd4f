--- What the measurements over the wire share: pinned processes, CPU time, memory.
local lfs = require("lfs")
local proc = require("spec.support.proc")

local M = {}

--- Starts a program on the one processor that servers and load share here, since
--- where the kernel happens to put them decides more about CPU time than what they do.
function M.start_pinned(path, args)
  return proc.start("/usr/bin/taskset", { "-c", "0", path, unpack(args) })
end

function M.read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

--- CPU seconds that a process has used, to the nanosecond: the sum over its threads.
function M.cpu(pid)
  local tasks = "/proc/" .. pid .. "/task"
  local sum = 0
  for task in lfs.dir(tasks) do
    if task:match("^%d+$") then
      sum = sum + tonumber(M.read(tasks .. "/" .. task .. "/schedstat"):match("^(%d+)"))
    end
  end
  return sum / 1e9
end

--- Resident memory in MB: all of it, and the anonymous part.
function M.memory(pid)
  local text = M.read("/proc/" .. pid .. "/status")
  return tonumber(text:match("VmRSS:%s+(%d+)")) / 1024, tonumber(text:match("RssAnon:%s+(%d+)")) / 1024
end

function M.median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

return M
