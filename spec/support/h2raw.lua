--- Scripted HTTP/2 peers, client and server: they send whatever frames a spec says, and decode
--- header blocks with nghttp2's own inflater.
local ffi = require("ffi")
local uv = require("luv")
local f = require("spec.support.frames")
local proc = require("spec.support.proc")

ffi.cdef([[
typedef struct {
  uint8_t *name;
  uint8_t *value;
  size_t namelen;
  size_t valuelen;
  uint8_t flags;
} nghttp2_nv;
typedef struct nghttp2_hd_inflater nghttp2_hd_inflater;
int nghttp2_hd_inflate_new(nghttp2_hd_inflater **ret);
void nghttp2_hd_inflate_del(nghttp2_hd_inflater *inflater);
ssize_t nghttp2_hd_inflate_hd2(nghttp2_hd_inflater *inflater, nghttp2_nv *nv, int *flags, const uint8_t *in, size_t len, int final);
int nghttp2_hd_inflate_end_headers(nghttp2_hd_inflater *inflater);
void *dlopen(const char *file, int mode);
]])

-- Loaded for good: the collector may close a library before what it made is deleted by it.
local RTLD_NOW, RTLD_NODELETE = 2, 0x1000
assert(ffi.C.dlopen("libnghttp2.so.14", RTLD_NOW + RTLD_NODELETE) ~= nil)
local lib = ffi.load("libnghttp2.so.14")

local M = {}

local MOST_PAYLOAD = 16384 -- of a frame

-- A peer may close while a script writes.
local broken_pipe = uv.new_signal()
broken_pipe:start("sigpipe", function() end)
broken_pipe:unref()

local FINAL, EMIT, NO_INDEX = 1, 2, 1

--- A decoder of one connection's header blocks.
---@return fun(block: string): string[][], string[] name and value pairs in their order; the names of those never to be indexed
local function decoder()
  local slot = ffi.new("nghttp2_hd_inflater *[1]")
  assert(lib.nghttp2_hd_inflate_new(slot) == 0)
  local inflater = ffi.gc(slot[0], lib.nghttp2_hd_inflate_del)
  return function(block)
    local fields, secret, at, nv, flags = {}, {}, 0, ffi.new("nghttp2_nv"), ffi.new("int[1]")
    local bytes = ffi.cast("const uint8_t *", block)
    repeat
      local used = lib.nghttp2_hd_inflate_hd2(inflater, nv, flags, bytes + at, #block - at, 1)
      assert(used >= 0, "a header block that cannot be decoded")
      at = at + tonumber(used)
      if flags[0] % 4 >= EMIT then
        fields[#fields + 1] = { ffi.string(nv.name, nv.namelen), ffi.string(nv.value, nv.valuelen) }
        if nv.flags % 2 == NO_INDEX then
          secret[#secret + 1] = fields[#fields][1]
        end
      end
    until flags[0] % 2 == FINAL or (at == #block and flags[0] == 0)
    lib.nghttp2_hd_inflate_end_headers(inflater)
    return fields, secret
  end
end

---@class perigee.spec.RawConn
---@field frames table[] all that came: kind, flags, stream, payload; and fields of header blocks, with the secret ones' names
---@field closed boolean
---@field quiet boolean it acknowledges nothing by itself
local Conn = {}
Conn.__index = Conn

local function take(self, frame)
  self.frames[#self.frames + 1] = frame
  if frame.kind == f.HEADERS or frame.kind == f.CONTINUATION then
    local payload = frame.payload
    if frame.kind == f.HEADERS and math.floor(frame.flags / 32) % 2 == 1 then
      payload = payload:sub(6) -- a priority
    end
    self.block = (frame.kind == f.HEADERS and "" or self.block) .. payload
    if math.floor(frame.flags / f.END_HEADERS) % 2 == 1 then
      frame.fields, frame.secret = self.decode(self.block)
    end
  elseif not self.quiet and frame.kind == f.SETTINGS and frame.flags == 0 then
    self:send(f.frame(f.SETTINGS, f.ACK, 0, ""))
  elseif not self.quiet and frame.kind == f.PING and frame.flags == 0 then
    self:send(f.frame(f.PING, f.ACK, 0, frame.payload))
  end
  if self.script then
    -- An error must not leave a callback of the loop; close() raises it.
    local fine, why = pcall(self.script, self, frame)
    self.failed = self.failed or (not fine and why) or nil
  end
end

local function feed(self, bytes)
  self.got = self.got .. bytes
  if self.preface then
    if #self.got < #f.preface then
      return
    end
    assert(self.got:sub(1, #f.preface) == f.preface)
    self.got, self.preface = self.got:sub(#f.preface + 1), false
  end
  local at = 1
  for _, frame in ipairs(f.parse(self.got)) do
    at = at + 9 + #frame.payload
    take(self, frame)
  end
  self.got = self.got:sub(at)
end

local function read(self)
  self.tcp:read_start(function(_, bytes)
    if bytes then
      feed(self, bytes)
    else
      self.closed = true
      self:close()
    end
  end)
end

local function conn(tcp, script)
  return setmetatable({ tcp = tcp, script = script, frames = {}, got = "", block = "", decode = decoder() }, Conn)
end

---@param bytes string
function Conn:send(bytes)
  if not self.tcp:is_closing() then
    self.tcp:write(bytes)
  end
end

function Conn:close()
  if not self.tcp:is_closing() then
    self.tcp:close()
  end
end

--- Ends our side; what was sent before arrives.
function Conn:finish()
  if not self.tcp:is_closing() then
    self.tcp:shutdown()
  end
end

--- Sends a header block, in as many frames as it takes.
---@param fields string[][]
---@param over? boolean nothing follows
function Conn:headers(stream, fields, over)
  local block, at, parts = f.block(fields), 1, {}
  repeat
    local last = at + MOST_PAYLOAD > #block
    local flags = (last and f.END_HEADERS or 0) + (at == 1 and over and f.END_STREAM or 0)
    parts[#parts + 1] = f.frame(at == 1 and f.HEADERS or f.CONTINUATION, flags, stream, block:sub(at, at + MOST_PAYLOAD - 1))
    at = at + MOST_PAYLOAD
  until last
  self:send(table.concat(parts))
end

function Conn:data(stream, bytes, over)
  self:send(f.frame(f.DATA, over and f.END_STREAM or 0, stream, bytes))
end

function Conn:reset(stream, code)
  self:send(f.frame(f.RST_STREAM, 0, stream, f.u32(code)))
end

function Conn:goaway(last, code)
  self:send(f.frame(f.GOAWAY, 0, 0, f.u32(last) .. f.u32(code or 0)))
end

--- Sends settings: value by number.
---@param values table<integer, integer>
function Conn:settings(values)
  local parts = {}
  for id, value in pairs(values) do
    parts[#parts + 1] = string.char(0, id) .. f.u32(value)
  end
  self:send(f.frame(f.SETTINGS, 0, 0, table.concat(parts)))
end

function Conn:window(stream, bytes)
  self:send(f.frame(f.WINDOW_UPDATE, 0, stream, f.u32(bytes)))
end

--- Answers a call with a message and a status.
---@param message? string without its five bytes
function Conn:answer(stream, message)
  self:headers(stream, { { ":status", "200" }, { "content-type", "application/grpc" } })
  self:data(stream, f.message(message or ""))
  self:headers(stream, { { "grpc-status", "0" } }, true)
end

--- The DATA of a stream so far, and whether its end has come.
---@return string bytes, boolean over
function Conn:body(stream)
  local parts, over = {}, false
  for _, frame in ipairs(self.frames) do
    if frame.stream == stream and (frame.kind == f.DATA or frame.kind == f.HEADERS) then
      parts[#parts + 1] = frame.kind == f.DATA and frame.payload or ""
      over = over or frame.flags % 2 == 1
    end
  end
  return table.concat(parts), over
end

--- The header blocks of a stream so far, decoded.
---@return string[][][]
function Conn:blocks(stream)
  local list = {}
  for _, frame in ipairs(self.frames) do
    if frame.stream == stream and frame.fields then
      list[#list + 1] = frame.fields
    end
  end
  return list
end

--- The first frame of a kind (on a stream) that came, or nil.
function Conn:seen(kind, stream)
  for _, frame in ipairs(self.frames) do
    if frame.kind == kind and (not stream or frame.stream == stream) then
      return frame
    end
  end
end

--- Runs the loop until `done(conn)` answers.
function Conn:await(what, done, limit_ms)
  return proc.await(what, limit_ms or 10000, function()
    return done(self)
  end)
end

--- A server: `script(conn, frame)` is called for each frame that comes; conn.index counts the
--- connections. An error in it is raised by close(). `options`: silent (sends nothing by itself), settings.
---@param script? fun(conn: perigee.spec.RawConn, frame: table)
---@param options? table
---@return table with address, conns and close()
function M.serve(script, options)
  options = options or {}
  local tcp = uv.new_tcp()
  assert(tcp:bind("127.0.0.1", 0))
  local server = { conns = {}, address = "127.0.0.1:" .. tcp:getsockname().port }
  assert(tcp:listen(128, function()
    local peer = uv.new_tcp()
    tcp:accept(peer)
    peer:nodelay(true)
    local self = conn(peer, script)
    self.preface = true
    self.index = #server.conns + 1
    server.conns[self.index] = self
    self.quiet = options.silent
    if not options.silent then
      self:settings(options.settings or {})
    end
    read(self)
  end))
  function server.close()
    local failed
    for _, each in ipairs(server.conns) do
      each:close()
      failed = failed or each.failed
    end
    if not tcp:is_closing() then
      tcp:close()
    end
    uv.run("nowait")
    assert(not failed, failed)
  end
  return server
end

--- A client connection that has sent its preface and SETTINGS.
---@param settings? table<integer, integer>
---@return perigee.spec.RawConn
function M.dial(address, settings)
  local host, port = address:match("^(.*):(%d+)$")
  local connected
  local self = conn(uv.new_tcp())
  self.tcp:connect(host, tonumber(port), function(err)
    connected = err or true
  end)
  proc.await("a connection to " .. address, 5000, function()
    return connected
  end)
  assert(connected == true, connected)
  read(self)
  self:send(f.preface)
  self:settings(settings or {})
  return self
end

return M
