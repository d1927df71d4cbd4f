local origins = require("spec.core.script.origin")
local proc = require("spec.support.proc")
local s = require("spec.core.script.support")
local uv = require("luv")
local C, ffi = s.cffi.load({ "script/hostile_shim.h" })

-- A connection that the client has closed must not end this process.
ffi.cdef("void *signal(int number, void *handler);")
ffi.C.signal(13, ffi.cast("void *", 1))

-- What servers can do to a fetch that asks them. None keeps the worker from other work for
-- longer than a fetch's 5 ms and 10 more.
describe("an origin that", function()
  local script, server, clients

  after_each(function()
    for _, client in ipairs(clients) do
      if not client:is_closing() then
        client:close()
      end
    end
    server:close()
    uv.run("nowait")
    script:close()
    s.clean()
  end)

  --- Serves each connection by `answer(client)`, once it has asked for something.
  local function serve(answer)
    clients = {}
    server = assert(uv.new_tcp())
    assert(server:bind("127.0.0.1", 0))
    assert(server:listen(128, function()
      local client = uv.new_tcp()
      server:accept(client)
      clients[#clients + 1] = client
      local asked = false
      client:read_start(function(_, bytes)
        if bytes and not asked then
          asked = true
          answer(client, bytes)
        end
      end)
    end))
    return "http://127.0.0.1:" .. server:getsockname().port
  end

  local function start(answer, fetch)
    local url = serve(answer)
    script = s.script({
      ["fallback/asking.lua"] = ([[
        local http = require("perigee.http")
        return require("perigee.policy").fallback({ name = "asking", fetch = function(_, request)
          local url = %q
          %s
        end })]]):format(url, fetch or "local got, err, name = http.get(url, { timeout = '2s' }) if not got then return nil, err, name end return got.body"),
    })
    return assert(script:fallback("asking"))
  end

  --- Fetches, and fails when one turn of the worker's loop takes too long.
  local function run(object)
    for attempt = 1, 3 do
      local worst = 0
      local function step(loop)
        local before = C.hostile_shim_cpu_ns()
        s.C.peri_loop_step(loop, 1)
        worst = math.max(worst, tonumber(C.hostile_shim_cpu_ns() - before) / 1e6)
      end
      local outcome, fetch = s.ffi.new("struct script_outcome"), s.ffi.new("struct peri_fetch *[1]")
      assert.equal(0, s.C.script_shim_fetch(object, "k", "origin", "", 20000, outcome, fetch))
      origins.await(script.shim.loop, step, function()
        return outcome.calls > 0
      end)
      if os.getenv("PERI_SHOW") then
        print(("%8.2f ms"):format(worst), s.ffi.string(outcome.text):sub(1, 90))
      end
      if worst <= 15 * math.max(C.hostile_shim_slowdown(), proc.patience) then
        return s.outcome(outcome)
      end
      assert(attempt < 3, ("a turn took %.1f ms"):format(worst))
    end
  end

  --- Sends `head`, then `more` without end.
  local function endless(head, more)
    more = more:rep(math.ceil(65536 / #more))
    return function(client)
      local function again(err)
        if not err and not client:is_closing() then
          client:write(more, again)
        end
      end
      client:write(head .. more, again)
    end
  end

  local function once(text)
    return function(client)
      client:write(text)
    end
  end

  local ok = "HTTP/1.1 200 OK\r\n"

  for name, case in pairs({
    ["sends headers without end"] = { ok, "x-name: value\r\n" },
    ["sends headers without end that look like status lines"] = { ok, "HTTP/1.1: value\r\n" },
    ["sends one header without end"] = { ok .. "x: ", "y" },
    ["sends a body without end"] = { ok .. "\r\n", "body" },
    ["sends chunks without end"] = { ok .. "Transfer-Encoding: chunked\r\n\r\n", "4\r\nbody\r\n" },
    ["sends a chunk's name without end"] = { ok .. "Transfer-Encoding: chunked\r\n\r\n4;", "extension" },
    ["sends trailers without end"] = { ok .. "Transfer-Encoding: chunked\r\n\r\n0\r\n", "x-name: value\r\n" },
    ["sends interim responses without end"] = { "", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" },
    ["sends nothing that is HTTP without end"] = { "", "\0\255\r\n" },
  }) do
    it(name, function()
      local got = run(start(endless(case[1], case[2])))
      assert.is_true(got.code < 0, got.value)
      assert.truthy(got.text:find("^E%u+: "), got.text)
    end)
  end

  it("names one header thousands of times", function()
    local lines = {}
    for i = 1, 12000 do
      lines[i] = "a:b"
    end
    local got = run(start(once(ok .. table.concat(lines, "\r\n") .. "\r\nContent-Length: 0\r\n\r\n")))
    assert.equal(s.ESCRIPT, got.code)
    assert.truthy(got.text:find("budget of", 1, true), got.text)
  end)

  it("drips", function()
    local timer = uv.new_timer()
    local got = run(start(function(client)
      client:write(ok)
      timer:start(0, 10, function()
        if not client:is_closing() then
          client:write("x")
        end
      end)
    end, "local got, err, name = http.get(url, { timeout = '300ms' }) return got and 'got' or nil, err, name"))
    timer:close()
    assert.equal(s.ETIMEOUT, got.code)
  end)

  it("packs a bomb", function()
    local got = run(start(once(ok .. "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n\31\139bom")))
    assert.equal("\31\139bom", got.value)
  end)

  it("says a length that nobody has", function()
    local bad = { "9223372036854775807", "99999999999999999999999", "-1", "5, 6", "0x5", "5\r\nContent-Length: 6" }
    for i, length in ipairs(bad) do
      local got = run(start(once(ok .. "Content-Length: " .. length .. "\r\n\r\nbody"), "local got, err, name = http.get(url, { timeout = '200ms' }) return got and got.body, err, name"))
      assert.truthy(got.code < 0 or ("body"):find(got.value, 1, true) == 1, length)
      if i < #bad then
        script:close()
        server:close()
      end
    end
  end)

  it("sends elsewhere than to HTTP", function()
    for i, place in ipairs({ "file:///etc/passwd", "unix:///var/run/docker.sock", "gopher://127.0.0.1/", "ftp://127.0.0.1/", "dict://127.0.0.1/", "HTTP+UNIX://x/", "//", "http://", "\255", ("/x"):rep(20000) }) do
      if i > 1 then
        script:close()
        server:close()
      end
      local got = run(start(once("HTTP/1.1 302 Found\r\nLocation: " .. place .. "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "local got, err, name = http.get(url, { timeout = '300ms' }) return got and got.body, err, name"))
      assert.truthy(got.code < 0, place .. " gave " .. got.value)
      assert.is_nil(got.value:find("root:", 1, true))
    end
  end)

  it("sends round in a circle", function()
    local got = run(start(once("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")))
    assert.equal(s.ELIMIT, got.code)
  end)

  it("fills what a policy's requests may hold, and no more", function()
    local size, count, waiting, last = 4 * 1024 * 1024, 40, {}, nil
    -- None ends while the others fill up: the last byte comes later.
    local object = start(
      function(client)
        client:write(ok .. "Connection: close\r\nContent-Length: " .. size .. "\r\n\r\n" .. ("x"):rep(size - 1))
        if last then
          client:write("x")
        end
        waiting[#waiting + 1] = client
      end,
      "local got, err, name = http.get(url, { timeout = '20s', max_bytes = " .. size .. " }) return got and tostring(#got.body), err, name"
    )
    local outcomes, fetch = ffi.new("struct script_outcome[?]", count), s.ffi.new("struct peri_fetch *[1]")
    for i = 0, count - 1 do
      assert.equal(0, s.C.script_shim_fetch(object, "k" .. i, "origin", "", 20000, outcomes[i], fetch))
    end
    local function ended(wanted)
      local sum = 0
      for i = 0, count - 1 do
        sum = sum + ((outcomes[i].calls > 0 and (not wanted or outcomes[i].code == wanted)) and 1 or 0)
      end
      return sum
    end
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return ended() >= count - 16
    end)
    assert.is_true(ended(s.ELIMIT) >= count - 16, ended(s.ELIMIT))
    last = true
    for _, client in ipairs(waiting) do
      if not client:is_closing() then
        client:write("x")
      end
    end
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return ended() == count
    end)
    -- Given back, for the next.
    assert.equal(tostring(size), run(object).value)
  end)
end)
