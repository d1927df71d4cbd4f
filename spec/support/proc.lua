--- Starts real processes for flow specs and waits for what they say: never a
--- sleep, always an event with a limit. Every process started is ended by its pid.
local lfs = require("lfs")
local uv = require("luv")

local M = {}

M.root = assert(os.getenv("PERI_ROOT"), "run specs through spec/support/run")
M.build = assert(os.getenv("PERI_BUILD"), "run specs through spec/support/run")

--- Sanitizer builds are several times slower; every limit is stretched by this.
M.patience = tonumber(os.getenv("PERI_PATIENCE") or "1")

---@class perigee.spec.Process
---@field pid integer
---@field out string what it wrote to standard output so far
---@field err string what it wrote to standard error so far
---@field code integer? exit status once it has ended
---@field signal integer? signal that ended it, 0 for none
local Process = {}
Process.__index = Process

local running = {}

--- Runs the event loop until `done()` answers, or fails after `limit_ms`.
---@param what string for the message
---@param limit_ms integer
---@param done fun(): any
---@param detail? fun(): string more words for the failure
function M.await(what, limit_ms, done, detail)
  local late = false
  local timer = uv.new_timer()
  timer:start(limit_ms * M.patience, 0, function()
    late = true
  end)
  -- What `done` asks for need not be an event of this loop.
  local tick = uv.new_timer()
  tick:start(10, 10, function() end)
  local value = done()
  while not value and not late do
    uv.run("once")
    value = done()
  end
  timer:close()
  tick:close()
  if not value then
    error(("waited %d ms in vain for %s%s"):format(limit_ms * M.patience, what, detail and ("\n" .. detail()) or ""), 2)
  end
  return value
end

local function collect(process, pipe, field)
  process.open = process.open + 1
  pipe:read_start(function(err, bytes)
    if bytes then
      process[field] = process[field] .. bytes
    else
      pipe:close()
      process.open = process.open - 1
      process.broken = process.broken or err
    end
  end)
end

--- LeakSanitizer cannot stop gRPC's threads at the end of a program without falling over them
--- now and then: what loads gRPC (commands, and sidecars on etcd) is not looked at for leaks.
local function without_leaks(path, args)
  if os.getenv("PERI_KIND") ~= "asan" or path ~= M.build .. "/perigee" then
    return nil
  end
  if args[1] == "serve" then
    local text = ""
    for i, arg in ipairs(args) do
      -- A FIFO would be waited for without end.
      local stat = arg == "--config" and uv.fs_stat(args[i + 1])
      local file = stat and stat.type == "file" and io.open(args[i + 1])
      text = file and file:read("*a") or text
      if file then
        file:close()
      end
    end
    if not text:find("etcd", 1, true) then
      return nil
    end
  end
  return os.getenv("ASAN_OPTIONS") .. ":detect_leaks=0"
end

--- Starts a program. `options`: env (table of extra variables), cwd, input (text for its
--- standard input), talk (its standard input stays open for say()).
---@param path string
---@param args string[]
---@param options? table
---@return perigee.spec.Process
function M.start(path, args, options)
  options = options or {}
  local env = {}
  for name, value in pairs(uv.os_environ()) do
    local ours = name == "LD_PRELOAD" or (name == "ASAN_OPTIONS" and without_leaks(path, args))
    if (options.env or {})[name] == nil and not ours then
      env[#env + 1] = name .. "=" .. value
    end
  end
  for name, value in pairs(options.env or {}) do
    env[#env + 1] = name .. "=" .. value
  end
  local leaky = without_leaks(path, args)
  if leaky then
    env[#env + 1] = "ASAN_OPTIONS=" .. leaky
  end
  local stdin = (options.input or options.talk) and uv.new_pipe(false)
  local stdout, stderr = uv.new_pipe(false), uv.new_pipe(false)
  local process = setmetatable({ out = "", err = "", open = 0, name = path:match("[^/]+$") }, Process)
  local pid
  process.handle, pid = uv.spawn(path, {
    args = args,
    env = env,
    cwd = options.cwd,
    stdio = { stdin, stdout, stderr },
  }, function(code, signal)
    process.code, process.signal = code, signal
    process.handle:close()
    process:hang_up()
    running[process.pid] = nil
  end)
  assert(process.handle, ("cannot start %s: %s"):format(path, tostring(pid)))
  process.pid = pid
  running[process.pid] = process
  collect(process, stdout, "out")
  collect(process, stderr, "err")
  if options.talk then
    process.stdin = stdin
  elseif stdin then
    stdin:write(options.input)
    stdin:shutdown(function()
      stdin:close()
    end)
  end
  return process
end

--- Writes to the standard input of a program started with `talk`.
---@param text string
function Process:say(text)
  self.stdin:write(text)
  uv.run("nowait")
end

--- Ends the standard input of a program started with `talk`.
function Process:hang_up()
  if self.stdin and not self.stdin:is_closing() then
    self.stdin:close()
  end
end

--- Waits for a line on standard output that matches, and returns its captures.
---@param pattern string
---@param limit_ms? integer 10,000 by default
function Process:await_out(pattern, limit_ms)
  local found
  M.await(pattern .. " from " .. self.name, limit_ms or 10000, function()
    found = { self.out:match(pattern) }
    return #found > 0 or self.code ~= nil
  end, function()
    return self.out .. self.err
  end)
  if #found == 0 then
    error(("%s ended with %d before it printed %s\n%s%s"):format(self.name, self.code, pattern, self.out, self.err), 2)
  end
  return unpack(found)
end

--- Waits for text on standard error.
function Process:await_err(pattern, limit_ms)
  return M.await(pattern .. " in the log of " .. self.name, limit_ms or 10000, function()
    return self.err:match(pattern)
  end, function()
    return self.err
  end)
end

--- Waits until it has ended and all its output is read.
---@return integer code, integer signal
function Process:wait(limit_ms)
  M.await("the end of " .. self.name, limit_ms or 10000, function()
    return self.code and self.open == 0
  end, function()
    return self.out .. self.err
  end)
  return self.code, self.signal
end

---@param signal string|integer "sigterm" and so on
function Process:kill(signal)
  if not self.code then
    self.handle:kill(signal)
  end
end

--- Ends it for good, whatever state it is in.
function Process:destroy()
  if not self.code then
    self.handle:kill("sigkill")
    self:wait()
  end
end

--- Runs a program to its end.
---@return perigee.spec.Process
function M.run(path, args, options)
  local process = M.start(path, args, options)
  process:wait(options and options.limit_ms or 30000)
  return process
end

--- Ends every process that is still running. For `after_each` and `teardown`.
function M.destroy_all()
  for _, process in pairs(running) do
    process:destroy()
  end
end

--- Runs the event loop for a moment without waiting for anything in particular; only to let
--- something be seen not to happen.
---@param ms integer
function M.watch(ms)
  local over = false
  local timer = uv.new_timer()
  timer:start(ms, 0, function()
    over = true
  end)
  while not over do
    uv.run("once")
  end
  timer:close()
end

--- The first of `count` ports in a row that nothing listened on a moment ago, below the
--- ephemeral range.
---@param count integer
---@return integer
function M.free_ports(count)
  for _ = 1, 100 do
    local first = math.random(20000, 32001 - count)
    local free = true
    for port = first, first + count - 1 do
      local tcp = uv.new_tcp()
      free = free and tcp:bind("127.0.0.1", port) and tcp:listen(1, function() end)
      tcp:close()
    end
    uv.run("nowait")
    if free then
      return first
    end
  end
  error("no free port found")
end

--- A port that nothing listened on a moment ago.
---@return integer
function M.free_port()
  return M.free_ports(1)
end

math.randomseed(uv.hrtime() % 2 ^ 31)

--- A fresh folder; the caller removes it with M.remove().
function M.folder()
  return assert(uv.fs_mkdtemp((os.getenv("TMPDIR") or "/tmp") .. "/perigee-spec-XXXXXX"))
end

--- What programs that worked in a folder have left: names in it, and the command lines of
--- processes that name it.
---@return string[]
function M.traces(folder)
  local found = {}
  for name in lfs.dir(folder) do
    found[#found + 1] = not name:find("^%.+$") and name or nil
  end
  for pid in lfs.dir("/proc") do
    local file = pid:match("^%d+$") and io.open("/proc/" .. pid .. "/cmdline")
    if file then
      local words = (file:read("*a") or ""):gsub("%z", " ")
      file:close()
      found[#found + 1] = words:find(folder, 1, true) and words or nil
    end
  end
  return found
end

function M.remove(folder)
  assert(folder:match("perigee%-spec%-"))
  os.execute("rm -rf '" .. folder .. "'")
end

function M.write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- A raw TCP conversation, for what no proper client would send.
---@return table socket with send(bytes), await(what, done), close(), got, closed
function M.connect(address)
  local host, port = address:match("^(.*):(%d+)$")
  local socket = { got = "", closed = false, tcp = uv.new_tcp() }
  local connected
  socket.tcp:connect(host, tonumber(port), function(err)
    connected = err or true
  end)
  M.await("a connection to " .. address, 5000, function()
    return connected
  end)
  assert(connected == true, connected)
  socket.tcp:read_start(function(err, bytes)
    if bytes then
      socket.got = socket.got .. bytes
    else
      socket.closed = err or "eof"
    end
  end)
  function socket.send(bytes)
    local sent
    socket.tcp:write(bytes, function(err)
      sent = err or true
    end)
    M.await("a write", 10000, function()
      return sent or socket.closed
    end)
    return sent == true
  end
  function socket.await(what, done, limit_ms)
    return M.await(what, limit_ms or 10000, function()
      return done(socket)
    end)
  end
  function socket.close()
    if not socket.tcp:is_closing() then
      socket.tcp:close()
    end
    uv.run("nowait")
  end
  return socket
end

--- One HTTP/1.1 request through a real client.
---@return integer status, string body, string headers
function M.http(method, address, path)
  local args = { "-sS", "-i", "--max-time", "10", "-X", method }
  if method == "HEAD" then
    args = { "-sS", "-I", "--max-time", "10" }
  end
  local unix = address:match("^unix:(.+)$")
  if unix then
    args[#args + 1] = "--unix-socket"
    args[#args + 1] = unix
    address = "localhost"
  end
  args[#args + 1] = "http://" .. address .. path
  local curl = M.run("/usr/bin/curl", args)
  assert(curl.code == 0, curl.err)
  local head, body = curl.out:match("^(.-)\r\n\r\n(.*)$")
  return tonumber(head:match("^HTTP/%S+ (%d+)")), body, head
end

return M
