--- Real sidecars, origins and clients for flow specs.
local proc = require("spec.support.proc")
local json = require("spec.support.json")

local M = {}

---@class perigee.spec.Sidecar
---@field process perigee.spec.Process
---@field app string?
---@field mesh string?
---@field admin string?
local Sidecar = {}
Sidecar.__index = Sidecar

M.binary = proc.build .. "/perigee"
M.client_binary = proc.build .. "/flow-client"

--- Starts a sidecar without waiting for it.
---@param config string the configuration file's text
---@param options? table folder, args, env
---@return perigee.spec.Process, string file
function M.launch(config, options)
  options = options or {}
  local folder = options.folder or M.folder
  local file = options.file or ("%s/perigee-%d.lua"):format(folder, math.random(1e9))
  proc.write(file, config)
  local args = { "serve", "--config", file }
  for _, arg in ipairs(options.args or {}) do
    args[#args + 1] = arg
  end
  return proc.start(options.binary or M.binary, args, { env = options.env }), file
end

--- Starts a sidecar and waits until it is ready.
---@return perigee.spec.Sidecar
function M.start(config, options)
  local process, file = M.launch(config, options)
  local line = process:await_out("(perigee ready[^\n]*)\n", 20000)
  return setmetatable({
    process = process,
    file = file,
    line = line,
    app = line:match(" app=(%S+)"),
    mesh = line:match(" mesh=(%S+)"),
    admin = line:match(" admin=(%S+)"),
  }, Sidecar)
end

--- Ends it as an operator would, and checks that it ended well.
function Sidecar:stop(limit_ms)
  self.process:kill("sigterm")
  local code, signal = self.process:wait(limit_ms or 20000)
  assert(code == 0 and signal == 0, ("stopped with %d, signal %d\n%s"):format(code, signal, self.process.err))
end

--- Runs a verb of the command line against its app listener.
---@param ... string arguments
---@return perigee.spec.Process
function Sidecar:cli(verb, ...)
  return proc.run(M.binary, { verb, "--target", self.app, ... })
end

--- One call through the Go client; the answer is its JSON.
---@param options table verb, group, key, value, target ("app" or "mesh"), …
function Sidecar:call(options)
  return M.call(self[options.to or "app"], options)
end

--- The value of a metric: the sum of all series whose name and labels match.
---@param name string
---@param labels? string a plain substring of the labels
---@return number
function Sidecar:metric(name, labels)
  local status, body = proc.http("GET", self.admin, "/metrics")
  assert(status == 200, body)
  local sum
  for line in body:gmatch("[^\n]+") do
    local series, value = line:match("^(%S+)%s+(%S+)$")
    if series and series:match("^([%w_:]+)") == name and (not labels or series:find(labels, 1, true)) then
      sum = (sum or 0) + tonumber(value)
    end
  end
  return sum or 0
end

function M.call(address, options)
  local args = { "call", "-target", address }
  for name, value in pairs(options) do
    if name ~= "to" then
      args[#args + 1] = "-" .. name
      args[#args + 1] = tostring(value)
    end
  end
  return M.client(args)
end

--- Runs the Go client and decodes what it printed.
function M.client(args, limit_ms)
  local run = proc.run(M.client_binary, args, { limit_ms = limit_ms or 60000 })
  assert(run.code == 0, run.err)
  return json.decode(run.out)
end

--- A real HTTP origin that counts.
function M.origin(listen)
  local process = proc.start(M.client_binary, { "origin", "-listen", listen or "127.0.0.1:0" })
  local address = process:await_out("origin ready (%S+)")
  return {
    process = process,
    address = address,
    counts = function()
      local _, body = proc.http("GET", address, "/_counts")
      return json.decode(body).paths
    end,
    conns = function()
      local _, body = proc.http("GET", address, "/_counts")
      return json.decode(body).conns
    end,
  }
end

--- Makes a folder for this spec file; call from `setup`.
function M.setup()
  M.folder = proc.folder()
  local built = proc.run(proc.root .. "/spec/flow/client/build", { proc.build }, { limit_ms = 300000 })
  assert(built.code == 0, built.out .. built.err)
end

--- Ends every process and removes the folder; call from `teardown`.
function M.teardown()
  proc.destroy_all()
  proc.remove(M.folder)
end

return M
