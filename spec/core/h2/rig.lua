--- What the specs of this room share: a server and a client on one loop, and raw sockets.
local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local assert = require("luassert")
local C, ffi = cffi.load({ "base/error.h", "h2/rig_shim.h" })

ffi.cdef([[
ssize_t read(int fd, void *bytes, size_t len);
ssize_t send(int fd, const void *bytes, size_t len, int flags);
int close(int fd);
int dup(int fd);
int unlink(const char *path);
]])

local M = { C = C, ffi = ffi, frames = frames }

-- Writing to a peer that has closed must not end the process.
local MSG_NOSIGNAL = 0x4000

local function limits_of(changes)
  local limits = C.peri_h2_limits_default()
  for name, value in pairs(changes or {}) do
    limits[name] = value
  end
  return limits
end

--- A raw peer of the server: sends bytes, and collects what comes.
local function raw_peer(self, fd)
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

  --- Preface and empty SETTINGS, as every client begins.
  function peer.greet(settings)
    return peer.send(frames.preface .. frames.frame(frames.SETTINGS, 0, 0, settings or ""))
  end

  function peer.request(stream, path, extra, open)
    local flags = frames.END_HEADERS + (open and 0 or frames.END_STREAM)
    return peer.send(frames.frame(frames.HEADERS, flags, stream, frames.request(path, extra)))
  end

  --- Steps until a frame of that kind (for that stream) has come.
  function peer.wait(kind, stream)
    self.until_true(function()
      peer.receive()
      return frames.seen(peer.got, kind, stream)
    end)
    return frames.seen(peer.got, kind, stream)
  end

  function peer.wait_closed()
    return self.until_true(function()
      peer.receive()
      return not peer.open
    end)
  end

  function peer.close()
    if peer.fd >= 0 then
      ffi.C.close(peer.fd)
      peer.fd = -1
    end
  end

  self.peers[#self.peers + 1] = peer
  return peer
end

--- A rig; `server` and `client` change limits, `pool` other options of the client.
function M.rig(options)
  options = options or {}
  local client = ffi.new("struct peri_h2_client_options")
  client.limits = limits_of(options.client)
  -- All of the rig is one thread: a busy step must not look like a dead peer.
  client.connect_timeout_ms = 60000
  for name, value in pairs(options.pool or {}) do
    client[name] = value
  end
  local self = { peers = {}, calls = {} }
  self.ptr = C.rig_new(limits_of(options.server), client)

  function self.step(ms)
    C.peri_loop_step(self.ptr.loop, ms or 10)
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

  function self.listen(address)
    assert.equal(0, C.rig_listen(self.ptr, address or "127.0.0.1:0"))
    return ffi.string(self.ptr.address)
  end

  function self.raw(buffer_bytes)
    local fd = C.rig_raw(self.ptr, buffer_bytes or 0)
    assert.is_true(fd >= 0)
    return raw_peer(self, fd)
  end

  --- A raw peer that connects to where the rig listens.
  function self.connect()
    local fd = C.rig_connect(self.ptr)
    assert.is_true(fd >= 0)
    return raw_peer(self, fd)
  end

  --- A raw peer over a descriptor that the spec got itself.
  function self.peer(fd)
    return raw_peer(self, fd)
  end

  --- Opens a request; `body` absent: without one, false: left open.
  function self.open(path, body, address)
    local call = C.rig_open(self.ptr, address or ffi.string(self.ptr.address), path, body == nil)
    assert.is_true(call ~= nil)
    self.calls[#self.calls + 1] = call
    if body then
      C.rig_call_write(call, ffi.new("struct peri_slice", { body, #body }))
      C.rig_call_finish(call)
    end
    return call
  end

  function self.wait(call)
    assert.is_true(self.until_true(function()
      return call.closes > 0
    end))
    return call
  end

  --- The whole of a request and its answer.
  function self.fetch(path, body, address)
    return self.wait(self.open(path, body, address))
  end

  function self.text(buffer)
    return buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or ""
  end

  function self.metric(name, labels)
    local text = ffi.new("struct peri_buffer")
    C.peri_metrics_render(self.ptr.metrics, text)
    local all = "\n" .. self.text(text)
    C.peri_buffer_done(text)
    local at = "\n" .. name .. (labels and "{" .. labels .. "}" or "") .. " "
    local _, stop = all:find(at, 1, true)
    return stop and tonumber(all:match("^%-?%d+", stop + 1))
  end

  function self.free()
    C.rig_free(self.ptr)
    for _, call in ipairs(self.calls) do
      assert.equal(1, math.min(1, call.closes))
      C.rig_call_free(call)
    end
    for _, peer in ipairs(self.peers) do
      peer.close()
    end
  end

  return self
end

return M
