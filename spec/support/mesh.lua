--- Applications, and sidecars that carry their calls, for flow specs (spec/flow/mesh).
local discovery = require("spec.support.discovery")
local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local M = {}

M.binary = proc.build .. "/flow-mesh"

--- Call from `setup`, and M.teardown from `teardown`.
function M.setup()
  discovery.setup()
  local built = proc.run(proc.root .. "/spec/flow/mesh/build", { proc.build }, { limit_ms = 300000 })
  assert(built.code == 0, built.out .. built.err)
end

M.teardown = discovery.teardown

---@class perigee.spec.App
---@field process perigee.spec.Process
---@field address string
---@field name string
local App = {}
App.__index = App

--- Starts an application that answers meshtest.Echo.
---@param name string what it calls itself
---@param address? string a free port by default
---@return perigee.spec.App
function M.app(name, address)
  local process = proc.start(M.binary, { "serve", "-name", name, "-listen", address or "127.0.0.1:0" })
  local at = process:await_out('"address":"([^"]+)"', 20000)
  if address and address:match("^unix:") then
    at = address
  end
  return setmetatable({ process = process, address = at, name = name }, App)
end

--- Waits until it has printed a text, and forgets what it printed so far.
function App:await(pattern, limit_ms)
  local found = self.process:await_out(pattern, limit_ms)
  self.process.out = ""
  return found
end

--- Ends it and starts it again at the same address.
function App:restart()
  self.process:destroy()
  return M.app(self.name, self.address)
end

local function arguments(verb, target, options)
  local args = { verb, "-target", target }
  for name, value in pairs(options or {}) do
    args[#args + 1] = ("-%s=%s"):format(name, tostring(value))
  end
  return args
end

--- Starts a call; the process has say("\n") to cancel it, and answer().
---@return perigee.spec.Process
function M.start_call(target, options)
  return proc.start(M.binary, arguments("call", target, options), { talk = true })
end

--- What a client that has been started saw.
function M.answer(process, limit_ms)
  assert(process:wait(limit_ms or 30000) == 0, process.err)
  return json.decode(process.out:match("([^\n]+)\n$"))
end

--- Makes a call (spec/flow/mesh/call.go has the flags) and returns what the client saw of it.
---@param target string
---@param options? table
---@return table
function M.call(target, options)
  return M.answer(M.start_call(target, options))
end

--- As M.call(), and the call must succeed.
function M.ok(target, options)
  local seen = M.call(target, options)
  assert(seen.code == "OK", ("%s: %s"):format(seen.code, seen.message))
  return seen
end

---@class perigee.spec.Storm
---@field process perigee.spec.Process
local Storm = {}
Storm.__index = Storm

--- Keeps calling until done().
function M.storm(target, options)
  return setmetatable({ process = proc.start(M.binary, arguments("storm", target, options), { talk = true }) }, Storm)
end

--- Waits until a call has ended with "NAME:STATUS", as a plain text.
function Storm:await(who, limit_ms)
  proc.await("calls that end with " .. who, limit_ms or 30000, function()
    return self.process.out:find(('%s"}'):format(who), 1, true)
  end, function()
    return self.process.out
  end)
end

--- Ends it: calls, codes, names, messages, slowest.
function Storm:done()
  self.process:hang_up()
  return M.answer(self.process)
end

--- Starts a sidecar of the given keys, as text, with an app port and an admin port.
---@param keys string
---@param listen? string more listeners
---@return perigee.spec.Sidecar
function M.car(keys, listen)
  return sidecar.start(([[return {
    workers = 2,
    listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0", %s },
    %s
  }]]):format(listen or "", keys))
end

--- A sidecar whose application provides a service.
---@param more? string further keys
---@return perigee.spec.Sidecar
function M.provider(service, address, more)
  local port = proc.free_port()
  return M.car(
    ('provides = { { service = %q, address = %q, health = "none" } }, %s'):format(service, address, more or ""),
    ('mesh = "127.0.0.1:%d"'):format(port)
  )
end

--- The text of a static registry: addresses by service; of sidecars unless `plain`.
---@param services table<string, string[]>
function M.static(services, plain)
  local parts = {}
  for name, addresses in pairs(services) do
    local list = {}
    for i, address in ipairs(addresses) do
      list[i] = ("{ address = %q%s }"):format(address, plain and "" or ', protocol = "perigee"')
    end
    parts[#parts + 1] = ("[%q] = { %s }"):format(name, table.concat(list, ", "))
  end
  return ('registry = { kind = "static", services = { %s } },'):format(table.concat(parts, ", "))
end

return M
