--- The specs' own etcd programs (spec/flow/etcd): each is told what to do by JSON lines.
local json = require("spec.support.json")
local proc = require("spec.support.proc")

local M = {}

M.binary = proc.build .. "/flow-etcd"

---@class perigee.spec.Tool
---@field process perigee.spec.Process
---@field lines table[] what it said so far, decoded; acknowledgements are not among them
local Tool = {}
Tool.__index = Tool

--- Builds the programs, unless they are; call from `setup`.
function M.build()
  local built = proc.run(proc.root .. "/spec/flow/etcd/build", { proc.build }, { limit_ms = 300000 })
  assert(built.code == 0, built.out .. built.err)
end

---@param verb string
---@param ... string arguments
---@return perigee.spec.Tool
function M.start(verb, ...)
  local process = proc.start(M.binary, { verb, ... }, { talk = true })
  return setmetatable({ process = process, lines = {}, acks = {}, read = 1 }, Tool)
end

--- Takes what it said since the last time.
function Tool:collect()
  while true do
    local line, stop = self.process.out:match("^([^\n]*)\n()", self.read)
    if not line then
      return
    end
    self.read = stop
    local value = json.decode(line)
    local list = value.ack ~= nil and self.acks or self.lines
    list[#list + 1] = value.ack ~= nil and value.ack or value
  end
end

--- Waits for a line (an acknowledgement is none) for which `match` answers something, and
--- returns that; looks at lines from number `from` (1) on.
---@param match fun(line: table): any
function Tool:await(what, match, limit_ms, from)
  local at = from or 1
  return proc.await(what, limit_ms or 10000, function()
    self:collect()
    while self.lines[at] do
      local found = match(self.lines[at])
      at = at + 1
      if found then
        return found
      end
    end
    assert(not self.process.code, "it ended: " .. self.process.err)
  end, function()
    return self.process.out:sub(-4000) .. self.process.err
  end)
end

--- Tells it something and waits until it has done it.
---@param order table
---@return table answer
function Tool:tell(order, limit_ms)
  local want = #self.acks + 1
  self.process:say(json.encode(order) .. "\n")
  proc.await("an answer from " .. self.process.name, limit_ms or 10000, function()
    self:collect()
    return self.acks[want]
  end, function()
    return self.process.out:sub(-1000) .. self.process.err
  end)
  local ack = self.acks[want]
  assert(not ack.error, ack.error)
  return ack
end

function Tool:stop()
  self.process:destroy()
end

return M
