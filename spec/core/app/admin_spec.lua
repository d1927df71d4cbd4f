local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the admin page", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, groups = { g = {} } }')
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  --- What comes back for raw bytes until the page closes the connection.
  local function raw(bytes)
    local socket = proc.connect(car.admin)
    socket.send(bytes)
    socket.await("the end of the connection", function()
      return socket.closed
    end)
    local got = socket.got
    socket.close()
    return got
  end

  local function get(path, more)
    return ("GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n"):format(path, more or "Connection: close\r\n")
  end

  it("says that the sidecar lives and is ready", function()
    for _, word in ipairs({ "live", "ready" }) do
      local status, body = proc.http("GET", car.admin, "/" .. word)
      assert.same({ 200, word .. "\n" }, { status, body })
    end
  end)

  it("shows metrics as Prometheus wants them", function()
    local status, body, head = proc.http("GET", car.admin, "/metrics")
    assert.equal(200, status)
    assert.truthy(head:lower():find("content-type: text/plain; version=0.0.4", 1, true), head)
    assert.truthy(body:find('perigee_build_info{version="', 1, true))
    assert.truthy(body:find("\nprocess_resident_memory_bytes ", 1, true))
    assert.equal(200, (proc.http("HEAD", car.admin, "/metrics")))
  end)

  it("knows nothing else", function()
    local status, body = proc.http("GET", car.admin, "/")
    assert.equal(404, status)
    assert.truthy(body:find("/metrics", 1, true))
    local refused, _, head = proc.http("DELETE", car.admin, "/live")
    assert.equal(405, refused)
    assert.truthy(head:find("GET, HEAD", 1, true))
    assert.truthy(raw("POST /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc"):find("^HTTP/1.1 405"))
  end)

  it("refuses headers and addresses without end", function()
    assert.truthy(raw("GET /live HTTP/1.1\r\nX: " .. ("a"):rep(20000) .. "\r\n\r\n"):find("^HTTP/1.1 431"))
    assert.truthy(raw("GET /" .. ("a"):rep(20000) .. " HTTP/1.1\r\n\r\n"):find("^HTTP/1.1 414"))
    assert.equal(200, (proc.http("GET", car.admin, "/live")))
  end)

  it("keeps connections alive", function()
    local got = raw(get("/live", "") .. get("/ready", "") .. get("/live"))
    local _, answers = got:gsub("HTTP/1.1 200 OK", "")
    assert.equal(3, answers)
  end)

  it("answers in a crowd of those who never ask", function()
    local sockets = {}
    for i = 1, 600 do
      sockets[i] = proc.connect(car.admin)
      if i % 2 == 0 then
        sockets[i].send("GET /live HT")
      end
      if i % 100 == 0 then
        assert.equal(200, (proc.http("GET", car.admin, "/live")))
      end
    end
    local gone = 0
    for i = 1, 600 do
      gone = gone + (sockets[i].closed and 1 or 0)
      sockets[i].close()
    end
    assert.is_true(gone >= 300)
  end)

  it("survives garbage and crowds", function()
    raw("nonsense\255\1\r\n\r\n")
    raw("GET /" .. ("x"):rep(20000) .. " HTTP/1.1\r\n\r\n")
    local sockets = {}
    for i = 1, 300 do
      sockets[i] = proc.connect(car.admin)
      sockets[i].send("GET /live HT")
    end
    for i = 1, 300 do
      sockets[i].close()
    end
    local got
    for _ = 1, 200 do
      got = raw(get("/live"))
      if got ~= "" then
        break
      end
      proc.watch(50) -- the crowd has not gone yet
    end
    assert.truthy(got:find("200 OK", 1, true), got)
  end)
end)
