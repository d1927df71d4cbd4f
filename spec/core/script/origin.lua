--- A small HTTP server in this very process, on a libuv loop of its own that is
--- turned beside the loop under test.
local uv = require("luv")

local M = {}

local Origin = {}
Origin.__index = Origin

local function parse(head)
  local method, target = head:match("^(%u+) (%S+) HTTP/1%.1\r\n")
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):%s*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  return { method = method, target = target, headers = headers }
end

--- Serves every whole request in `buffer` and returns the rest of it.
local function serve(origin, client, buffer)
  while true do
    local stop = select(2, buffer:find("\r\n\r\n", 1, true))
    local request = stop and parse(buffer:sub(1, stop))
    local length = request and tonumber(request.headers["content-length"] or "0")
    if not request or #buffer < stop + length then
      return buffer
    end
    request.body = buffer:sub(stop + 1, stop + length)
    buffer = buffer:sub(stop + length + 1)
    origin.requests[#origin.requests + 1] = request
    local reply = origin.answer(request)
    if reply and not client:is_closing() then
      client:write(reply)
    end
    if reply == false then
      client:close()
      return ""
    end
  end
end

--- The text of a response.
function M.response(status, body, headers)
  local lines = { ("HTTP/1.1 %d Status"):format(status), "Content-Length: " .. #body }
  for _, line in ipairs(headers or {}) do
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. body
end

--- @param answer fun(request): string|false|nil  the response's text; false
---   closes the connection, nil leaves it without an answer
function M.new(answer)
  local origin = setmetatable({ requests = {}, clients = {}, answer = answer, connections = 0 }, Origin)
  origin.server = assert(uv.new_tcp())
  assert(origin.server:bind("127.0.0.1", 0))
  assert(origin.server:listen(128, function()
    local client = uv.new_tcp()
    local buffer = ""
    origin.server:accept(client)
    origin.connections = origin.connections + 1
    origin.clients[#origin.clients + 1] = client
    client:read_start(function(_, bytes)
      if not bytes then
        return client:is_closing() or client:close()
      end
      buffer = serve(origin, client, buffer .. bytes)
    end)
  end))
  origin.port = origin.server:getsockname().port
  origin.url = "http://127.0.0.1:" .. origin.port
  return origin
end

function Origin:turn()
  uv.run("nowait")
end

function Origin:close()
  for _, client in ipairs(self.clients) do
    if not client:is_closing() then
      client:close()
    end
  end
  self.server:close()
  uv.run("nowait")
end

--- An HTTPS server whose certificate nobody has signed.
function M.tls()
  local folder = assert(uv.fs_mkdtemp("/tmp/perigee-tls-XXXXXX"))
  local key, certificate = folder .. "/key.pem", folder .. "/certificate.pem"
  assert(os.execute(("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s -days 1 2>/dev/null"):format(key, certificate)) == 0)
  local out, said, ended = uv.new_pipe(false), "", false
  local handle
  handle = assert(uv.spawn("openssl", {
    args = { "s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate, "-www" },
    stdio = { nil, out, nil },
  }, function()
    ended = true
    handle:close()
  end))
  out:read_start(function(_, bytes)
    said = said .. (bytes or "")
  end)
  local server = {}
  while not server.port and not ended do
    uv.run("once")
    server.port = said:match("ACCEPT %S*:(%d+)")
  end
  function server.close()
    handle:kill("sigkill")
    while not ended do
      uv.run("once")
    end
    out:close()
    uv.run("nowait")
    os.execute("rm -r " .. folder)
  end
  assert(server.port, "openssl s_server did not start")
  return server
end

--- Turns both loops until `done()`; fails when that takes too long.
function M.await(loop, step, done)
  local deadline = uv.hrtime() + 30e9 * (tonumber(os.getenv("PERI_PATIENCE") or "1"))
  while not done() do
    step(loop, 1)
    uv.run("nowait")
    assert(uv.hrtime() < deadline, "nothing came in half a minute")
  end
end

--- Fetches as Script:fetch() does, with this process's origins served.
function M.fetch(s, script, fallback, key)
  local outcome = s.ffi.new("struct script_outcome")
  local fetch = s.ffi.new("struct peri_fetch *[1]")
  assert(s.C.script_shim_fetch(fallback, key or "NZ", "origin", "", 5000, outcome, fetch) == 0)
  M.await(script.shim.loop, s.C.peri_loop_step, function()
    return outcome.calls > 0
  end)
  return s.outcome(outcome)
end

return M
