--- Probes on a loop, and the servers that they look at.
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local assert = require("luassert")
local uv = require("luv")
local C, ffi = cffi.load({ "registry/probe_shim.h", "loop/loop.h", "base/error.h" })

local M = { C = C, ffi = ffi }

---@param kind integer
---@param address string
---@param more table? service, every_ms, timeout_ms, frees
function M.probe(kind, address, more)
  more = more or {}
  local out, problem = ffi.new("struct probe_rig *[1]"), ffi.new("struct peri_problem")
  assert.equal(0, C.probe_rig_new(more.rpc ~= false and kind == C.PERI_PROBE_GRPC, out))
  local rig = out[0]
  local self = { rig = rig }
  local options = ffi.new("struct peri_probe_options")
  options.kind = kind
  options.address = cffi.slice(address)
  options.service = cffi.slice(more.service or "")
  options.every_ms = more.every_ms or 50
  options.timeout_ms = more.timeout_ms or 300 * proc.patience
  rig.frees = more.frees or false

  function self.free()
    assert.is_true(C.probe_rig_free(rig))
  end

  --- Runs both loops until `done()` holds.
  function self.await(what, done)
    local limit = uv.hrtime() + 10e9 * proc.patience
    while not done() do
      if uv.hrtime() > limit then
        error("no " .. what .. " in time; last: " .. ffi.string(rig.why), 2)
      end
      C.peri_loop_step(rig.loop, 2)
      uv.run("nowait")
    end
  end

  --- Waits for the next change, and returns it.
  function self.change()
    local before = rig.changes
    self.await("change", function()
      return rig.changes > before
    end)
    assert.equal(before + 1, rig.changes)
    return rig.healthy, ffi.string(rig.why)
  end

  local code = C.probe_rig_start(rig, options, problem)
  if code < 0 then
    self.free()
    return nil, code, ffi.string(problem.text)
  end
  return self
end

--- A server that takes connections; `taken` counts them.
function M.listen(port, on_connection)
  local self = { taken = 0, clients = {} }
  local tcp = uv.new_tcp()
  assert(tcp:bind("127.0.0.1", port or 0))
  assert(tcp:listen(128, function()
    local client = uv.new_tcp()
    tcp:accept(client)
    self.taken = self.taken + 1
    self.clients[#self.clients + 1] = client
    if on_connection then
      on_connection(client)
    end
  end))
  self.port = tcp:getsockname().port
  self.address = "127.0.0.1:" .. self.port
  function self.close()
    for _, client in ipairs(self.clients) do
      if not client:is_closing() then
        client:close()
      end
    end
    if not tcp:is_closing() then
      tcp:close()
    end
    uv.run("nowait")
  end
  return self
end

local function frame(kind, flags, stream, payload)
  return string.char(
    math.floor(#payload / 65536),
    math.floor(#payload / 256) % 256,
    #payload % 256,
    kind,
    flags,
    math.floor(stream / 16777216),
    math.floor(stream / 65536) % 256,
    math.floor(stream / 256) % 256,
    stream % 256
  ) .. payload
end

local DATA, HEADERS, SETTINGS, PING = 0, 1, 4, 6
local START = "\136\15\16\16application/grpc"
local function trailers(status)
  return "\0\11grpc-status" .. string.char(#status) .. status
end

--- Answers one HTTP/2 connection: each request as `server.answer` says.
local function converse(server, client)
  local got, begun, asked = "", false, {}
  local function take(kind, flags, stream, payload)
    if kind == SETTINGS and flags % 2 == 0 then
      client:write(frame(SETTINGS, 1, 0, ""))
    elseif kind == PING and flags % 2 == 0 then
      client:write(frame(PING, 1, 0, payload))
    elseif kind == DATA then
      asked[stream] = (asked[stream] or "") .. payload
      if flags % 2 == 1 then
        server.asked[#server.asked + 1] = asked[stream]:sub(6)
        local message, status = server.answer()
        if message then
          local length = string.char(0, 0, 0, 0, #message)
          client:write(frame(HEADERS, 4, stream, START) .. frame(DATA, 0, stream, length .. message))
        end
        if status then
          client:write(frame(HEADERS, 5, stream, (message and "" or START) .. trailers(status)))
        end
      end
    end
  end
  client:write(frame(SETTINGS, 0, 0, ""))
  client:read_start(function(_, bytes)
    got = got .. (bytes or "")
    if not begun and #got >= 24 then
      got, begun = got:sub(25), true
    end
    while begun and #got >= 9 do
      local a, b, c, kind, flags, e, f, g, h = got:byte(1, 9)
      local length = a * 65536 + b * 256 + c
      if #got < 9 + length then
        break
      end
      local payload = got:sub(10, 9 + length)
      got = got:sub(10 + length)
      take(kind, flags, ((e % 128 * 256 + f) * 256 + g) * 256 + h, payload)
    end
  end)
end

--- A gRPC server whose health checks answer what `answer()` returns: message and status.
function M.health(answer, port)
  local server
  server = M.listen(port, function(client)
    converse(server, client)
  end)
  server.answer = answer
  server.asked = {}
  return server
end

return M
