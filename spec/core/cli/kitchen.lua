--- The Go server with reflection that specs call.
local proc = require("spec.support.proc")

local M = {}

function M.build()
  local built = proc.run(proc.root .. "/spec/flow/reflect/build", { proc.build }, { limit_ms = 300000 })
  assert(built.code == 0, built.out .. built.err)
end

--- Starts it, and returns its address.
---@param plain? boolean without reflection
function M.start(plain)
  local process = proc.start(proc.build .. "/flow-reflect", { "serve", plain and "plain" or nil })
  return process:await_out("kitchen ready (%S+)"), process
end

return M
