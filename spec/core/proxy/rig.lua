--- What the specs of this room share: a proxy between an application's client and backends.
local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local proc = require("spec.support.proc")
local assert = require("luassert")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "proxy/rig_shim.h" })

ffi.cdef([[
ssize_t read(int fd, void *bytes, size_t len);
ssize_t send(int fd, const void *bytes, size_t len, int flags);
int close(int fd);
]])

local M = { C = C, ffi = ffi, frames = frames, slice = cffi.slice }

-- Writing to a peer that has closed must not end the process.
local MSG_NOSIGNAL = 0x4000

--- An address for a backend that is configured before it listens: outside the
--- range that outgoing connections are given.
function M.address()
  return "127.0.0.1:" .. proc.free_port()
end

-- All of the rig is one thread: a busy step must not look like a dead peer.
local function limits_of(changes)
  local limits = C.peri_h2_limits_default()
  limits.handshake_ms, limits.keepalive_ms = 600000, 0
  for name, value in pairs(changes or {}) do
    limits[name] = value
  end
  return limits
end

--- "name: value" lines from pairs.
function M.lines(fields)
  local parts = {}
  for _, field in ipairs(fields) do
    parts[#parts + 1] = field[1] .. ": " .. field[2] .. "\n"
  end
  return table.concat(parts)
end

--- The fields of a gRPC call; `extra` ones replace those of their name, or follow.
function M.request(method, extra)
  local fields = {
    { ":method", "POST" },
    { ":scheme", "http" },
    { ":path", method:sub(1, 1) == "/" and method or "/orders.v1.Orders/" .. method },
    { ":authority", "localhost:7400" },
    { "content-type", "application/grpc" },
    { "te", "trailers" },
  }
  for _, field in ipairs(extra or {}) do
    local replaced = false
    for i = 1, 6 do
      if fields[i][1] == field[1] then
        fields[i], replaced = field, true
      end
    end
    if not replaced then
      fields[#fields + 1] = field
    end
  end
  return M.lines(fields)
end

--- The first value of a field in lines.
function M.value(lines, name)
  return ("\n" .. lines):match("\n" .. name:gsub("%-", "%%-") .. ": ([^\n]*)\n")
end

local function raw_peer(fd)
  local peer = { fd = fd, got = "", open = true }
  local buffer = ffi.new("char[65536]")
  function peer.send(bytes)
    return tonumber(ffi.C.send(fd, bytes, #bytes, MSG_NOSIGNAL))
  end
  function peer.receive()
    while peer.open do
      local count = tonumber(ffi.C.read(fd, buffer, 65536))
      if count > 0 then
        peer.got = peer.got .. ffi.string(buffer, count)
      else
        peer.open = count < 0 and ffi.errno() == 11
        return
      end
    end
  end
  function peer.close()
    if peer.fd >= 0 then
      ffi.C.close(peer.fd)
      peer.fd = -1
    end
  end
  return peer
end

--- A rig. `config` is JSON; `limits`, `backend_limits`, `caller_limits` change limits.
function M.rig(options)
  options = options or {}
  local config = options.config or '{"registry":{"kind":"static","services":{}}}'
  local setup = ffi.new("struct proxy_rig_options")
  setup.config = config
  setup.without_want = options.without_want or false
  setup.without_host = options.without_host or false
  setup.limits = limits_of(options.limits)
  setup.caller_limits = limits_of(options.caller_limits)
  local problem = ffi.new("struct peri_problem")
  local ptr = C.proxy_rig_new(setup, problem)
  if ptr == nil then
    return nil, ffi.string(problem.text), problem.code
  end
  local self = { ptr = ptr, calls = {}, peers = {}, kept = { config } }

  function self.step(ms)
    C.peri_loop_step(ptr.loop, ms or 5)
  end

  --- Steps until `ready()` holds; false after about five seconds.
  function self.until_true(ready)
    for _ = 1, 1000 do
      if ready() then
        return true
      end
      self.step(5)
    end
    return false
  end

  function self.settle()
    for _ = 1, 5 do
      self.step(2)
    end
  end

  --- Starts a backend; returns its struct and address.
  function self.backend(index, address, limits)
    local code = C.proxy_backend_start(ptr, index, address or "127.0.0.1:0", limits_of(limits))
    assert.equal(0, code)
    local backend = ptr.backends[index]
    return backend, ffi.string(backend.address)
  end

  --- Keeps a text alive for C.
  function self.text_for(text)
    self.kept[#self.kept + 1] = text
    return text
  end

  function self.publish(text)
    assert.equal(0, C.proxy_rig_publish(ptr, text))
  end

  --- Prepares another configuration; nil, words and code when it is refused.
  function self.prepare(text)
    local code = C.proxy_rig_prepare(ptr, text, problem)
    if code < 0 then
      return nil, ffi.string(problem.text), code
    end
    return true
  end

  --- Takes another configuration over.
  function self.reload(text)
    assert(self.prepare(text))
    C.peri_proxy_commit(ptr.proxy)
  end

  --- A port of loopback that nobody listens on, or a silent listener.
  function self.mute()
    local port = ffi.new("uint16_t[1]")
    local fd = C.rig_mute(port)
    local mute = { address = "127.0.0.1:" .. port[0] }
    function mute.accept()
      local accepted = -1
      assert.is_true(self.until_true(function()
        accepted = C.rig_mute_accept(fd)
        return accepted >= 0
      end))
      local peer = raw_peer(accepted)
      self.peers[#self.peers + 1] = peer
      function peer.wait(kind, stream)
        assert.is_true(self.until_true(function()
          peer.receive()
          return frames.seen(peer.got:sub(#frames.preface + 1), kind, stream)
        end))
        return frames.seen(peer.got:sub(#frames.preface + 1), kind, stream)
      end
      return peer
    end
    function mute.close()
      ffi.C.close(fd)
    end
    return mute
  end

  function self.dead()
    local mute = self.mute()
    mute.close()
    return mute.address
  end

  --- Opens a call; `body` absent: none, false: left open.
  function self.open(method, extra, body, mesh)
    local call = C.proxy_call_open(ptr, M.request(method, extra), mesh or false, body == nil)
    assert.is_true(call ~= nil)
    self.calls[#self.calls + 1] = call
    if body then
      self.write(call, body)
      self.finish(call)
    end
    return call
  end

  function self.write(call, body)
    return C.proxy_call_write(call, ffi.new("struct peri_slice", { body, #body }))
  end

  function self.finish(call, trailers)
    return C.proxy_call_finish(call, trailers)
  end

  function self.wait(call)
    assert.is_true(self.until_true(function()
      return call.closes > 0
    end))
    return call
  end

  function self.fetch(method, extra, body, mesh)
    return self.wait(self.open(method, extra, body, mesh))
  end

  function self.text(buffer)
    return buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or ""
  end

  function self.head(call)
    return self.text(call.head)
  end

  --- gRPC status (nil when there is none) and message of a call that has ended.
  function self.status(call)
    local lines = self.text(call.trailers)
    if lines == "" then
      lines = self.head(call)
    end
    local message = M.value(lines, "grpc-message")
    message = message and message:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    return tonumber(M.value(lines, "grpc-status")), message
  end

  function self.metric(name, labels)
    local text = ffi.new("struct peri_buffer")
    C.peri_metrics_render(ptr.metrics, text)
    local all = "\n" .. self.text(text)
    C.peri_buffer_done(text)
    local at = "\n" .. name .. (labels and "{" .. labels .. "}" or "") .. " "
    local _, stop = all:find(at, 1, true)
    return stop and tonumber(all:match("^%-?%d+", stop + 1))
  end

  --- The last decisions in words, the oldest first; their durations are "T".
  function self.decisions()
    local list, all = ffi.new("const struct peri_decision *[64]"), {}
    for i = 1, tonumber(C.peri_decisions_list(ptr.decisions, list)) do
      all[i] = self.words(list[i - 1])
    end
    return all
  end

  --- A decision in words, without times.
  function self.words(decision)
    local text = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_decision_words(decision, 16, text))
    local words = self.text(text)
    C.peri_buffer_done(text)
    return (words:gsub("[%d.]+ [um]?s%f[%A]", "T"):gsub("T +", "T "))
  end

  function self.in_flight()
    return tonumber(C.proxy_rig_calls(ptr))
  end

  function self.free()
    C.proxy_rig_free(ptr)
    for _, call in ipairs(self.calls) do
      C.proxy_call_free(call)
    end
    for _, peer in ipairs(self.peers) do
      peer.close()
    end
  end

  return self
end

return M
