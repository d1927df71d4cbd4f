local uv = require("luv")
local f = require("spec.support.frames")
local h2raw = require("spec.support.h2raw")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local ok = { { ":status", "200" }, { "content-type", "application/grpc" } }
local fine = { { "grpc-status", "0" } }
local NO_ERROR, INTERNAL, REFUSED, CANCEL, CALM = 0, 2, 7, 8, 11
local TABLE, STREAMS, WINDOW, FRAME = 1, 3, 4, 5

-- A reply of meshtest.Echo with `name` in it.
local function reply(name)
  return "\18" .. string.char(#name) .. name
end

--- A script that calls back for every request that has ended: a unary one, in full.
local function each_call(act)
  return function(conn, frame)
    if (frame.kind == f.HEADERS or frame.kind == f.DATA) and frame.flags % 2 == 1 then
      act(conn, frame.stream)
    end
  end
end

describe("an endpoint that is a scripted HTTP/2 peer", function()
  local servers, cars = {}, {}

  setup(mesh.setup)
  teardown(mesh.teardown)

  after_each(function()
    local had = { cars, servers }
    servers, cars = {}, {}
    for _, car in ipairs(had[1]) do
      car:stop()
    end
    for _, server in ipairs(had[2]) do
      server.close()
    end
  end)

  local function serve(script, options)
    servers[#servers + 1] = h2raw.serve(script, options)
    return servers[#servers]
  end

  --- A sidecar whose one service has these endpoints.
  local function front(addresses, more)
    local car = mesh.car(mesh.static({ ["meshtest.Echo"] = addresses }, true) .. 'workers = 1, balancer = { "round_robin" }, ' .. (more or ""))
    cars[#cars + 1] = car
    return car
  end

  --- A sidecar in front of one such peer.
  local function before(script, options, more)
    local server = serve(script, options)
    return front({ server.address }, more), server
  end

  local function answers(name)
    return each_call(function(conn, stream)
      conn:answer(stream, reply(name))
    end)
  end

  it("is asked again on another connection after a GOAWAY that leaves the stream out", function()
    local car, server = before(each_call(function(conn, stream)
      if conn.index == 1 then
        conn:goaway(0, NO_ERROR)
      else
        conn:answer(stream, reply("again"))
      end
    end))
    assert.equal("again", mesh.ok(car.app).name)
    assert.equal(2, #server.conns)
    assert.equal(1, car:metric("perigee_proxy_retries_total", 'reason="goaway"'))
  end)

  it("is asked again with the whole body after such a GOAWAY", function()
    local bodies = {}
    local car = before(each_call(function(conn, stream)
      bodies[#bodies + 1] = (conn:body(stream))
      if #bodies == 1 then
        conn:goaway(0, NO_ERROR)
      else
        conn:answer(stream, reply("again"))
      end
    end))
    assert.equal("again", mesh.ok(car.app, { bytes = 40000 }).name)
    assert.equal(2, #bodies)
    assert.equal(bodies[1], bodies[2])
  end)

  it("ends a call that it took on before its GOAWAY, and gets no new one there", function()
    local car, server = before(each_call(function(conn, stream)
      if conn.index == 1 then
        conn:goaway(stream, NO_ERROR)
      end
      conn:answer(stream, reply("conn" .. conn.index))
    end))
    assert.equal("conn1", mesh.ok(car.app).name)
    assert.equal("conn2", mesh.ok(car.app).name)
    assert.equal(2, #server.conns)
  end)

  it("that goes away with every call in turn costs none of 200 calls", function()
    local turn = 0
    local car = before(each_call(function(conn, stream)
      turn = turn + 1
      if turn % 2 == 1 then
        conn:goaway(stream, NO_ERROR)
      end
      conn:answer(stream, reply("x"))
    end))
    assert.same({ ["x:OK"] = 200 }, mesh.ok(car.app, { times = 200 }).names)
  end)

  it("that refuses a stream hands it to another one", function()
    local refusing = serve(each_call(function(conn, stream)
      conn:reset(stream, REFUSED)
    end))
    local taking = serve(answers("taken"))
    local car = front({ refusing.address, taking.address })
    assert.same({ ["taken:OK"] = 20 }, mesh.ok(car.app, { times = 20 }).names)
    assert.is_true(car:metric("perigee_proxy_retries_total", 'reason="refused"') >= 5)
  end)

  it("that refuses a stream late leaves less of the deadline to another one", function()
    local first, limit = true, nil
    local script = function(conn, frame)
      if frame.fields and not first then
        for _, field in ipairs(frame.fields) do
          limit = field[1] == "grpc-timeout" and field[2] or limit
        end
        conn:answer(frame.stream, reply("late"))
      elseif frame.fields then
        first = false
        local timer = uv.new_timer()
        timer:start(300, 0, function()
          timer:close()
          conn:reset(frame.stream, REFUSED)
        end)
      end
    end
    local car = front({ serve(script).address, serve(script).address })
    assert.equal("late", mesh.ok(car.app, { timeout = "50s" }).name)
    local digits, unit = limit:match("^(%d+)(%a)$")
    local ms = tonumber(digits) * ({ S = 1000, m = 1, u = 0.001, n = 0.000001 })[unit]
    assert.is_true(#digits <= 8 and ms > 30000 and ms <= 49700, limit)
  end)

  it("that refuses a stream and is the only one is named in the status", function()
    local car, server = before(each_call(function(conn, stream)
      conn:reset(stream, REFUSED)
    end))
    local seen = mesh.call(car.app)
    assert.equal("Unavailable", seen.code)
    assert.equal(("meshtest.Echo: %s reset the stream with HTTP/2 error 7"):format(server.address), seen.message)
  end)

  for code, name in pairs({ [NO_ERROR] = "Internal", [INTERNAL] = "Internal", [CANCEL] = "Canceled", [CALM] = "ResourceExhausted", [1] = "Internal" }) do
    it("that resets with error " .. code .. " before its headers is not asked again: " .. name, function()
      local calls = 0
      local function script(conn, stream)
        calls = calls + 1
        conn:reset(stream, code)
      end
      local car = front({ serve(each_call(script)).address, serve(each_call(script)).address })
      local seen = mesh.call(car.app)
      assert.equal(name, seen.code)
      assert.truthy(seen.message:find("reset the stream with HTTP/2 error " .. code, 1, true), seen.message)
      assert.equal(1, calls)
    end)

    it("that resets with error " .. code .. " after its headers has that passed on: " .. name, function()
      local car = before(each_call(function(conn, stream)
        local head = f.frame(f.HEADERS, f.END_HEADERS, stream, f.block(ok))
        conn:send(head .. f.frame(f.DATA, 0, stream, f.message(reply("half"))) .. f.frame(f.RST_STREAM, 0, stream, f.u32(code)))
      end))
      local seen = mesh.call(car.app, { method = "Down" })
      assert.same({ name, 1 }, { seen.code, seen.replies })
    end)
  end

  it("whose headers or trailers are larger than the limit is told apart from one that resets", function()
    local long, words = { "x-long", ("x"):rep(17000) }, "the header list is larger than limits.header_list_bytes"
    local car, server = before(each_call(function(conn, stream)
      if stream == 1 then
        conn:headers(stream, { ok[1], ok[2], long })
      else
        conn:headers(stream, ok)
        conn:data(stream, f.message(reply("half")))
        conn:headers(stream, { fine[1], long }, true)
      end
    end))
    local seen = mesh.call(car.app)
    assert.same({ "ResourceExhausted", ("meshtest.Echo: %s: %s"):format(server.address, words) }, { seen.code, seen.message })
    seen = mesh.call(car.app, { method = "Down" })
    assert.same({ "ResourceExhausted", "meshtest.Echo: " .. words, 1 }, { seen.code, seen.message, seen.replies })
  end)

  it("that resets without an error after a whole answer has given it", function()
    local car = before(function(conn, frame)
      if frame.kind == f.HEADERS then
        conn:answer(frame.stream, reply("early"))
        conn:reset(frame.stream, NO_ERROR)
      end
    end)
    assert.equal("early", mesh.ok(car.app).name)
    assert.equal("early", mesh.ok(car.app, { method = "Down" }).name)
  end)

  it("that hangs up before its headers is not asked again", function()
    local car, server = before(each_call(function(conn)
      conn:close()
    end))
    local seen = mesh.call(car.app)
    assert.equal("Unavailable", seen.code)
    assert.truthy(seen.message:find("meshtest.Echo: " .. server.address, 1, true), seen.message)
    assert.equal(1, #server.conns)
  end)

  it("that hangs up in the middle of its answer leaves a status", function()
    local car = before(each_call(function(conn, stream)
      conn:headers(stream, ok)
      conn:data(stream, f.message(reply("half")))
      conn:finish()
    end))
    local seen = mesh.call(car.app, { method = "Down" })
    assert.equal("Unavailable", seen.code)
    assert.equal("meshtest.Echo: the connection was lost while the answer came", seen.message)
    assert.equal(1, seen.replies)
  end)

  it("that never says a word costs a call its deadline, no more", function()
    local car = before(function() end, { silent = true })
    local seen = mesh.call(car.app, { timeout = "1s" })
    assert.equal("DeadlineExceeded", seen.code, seen.message)
    assert.is_true(seen.millis < 10000 * proc.patience, seen.millis)
  end)

  it("that takes a call and says nothing hears of the end of its deadline", function()
    local car, server = before(function() end)
    assert.equal("DeadlineExceeded", mesh.call(car.app, { timeout = "1s" }).code)
    proc.await("the reset", 20000, function()
      return server.conns[1]:seen(f.RST_STREAM, 1)
    end)
    assert.equal(f.u32(CANCEL), server.conns[1]:seen(f.RST_STREAM, 1).payload)
  end)

  local lively = 'limits = { keepalive = "200ms", keepalive_timeout = "1500ms" },'

  it("that falls silent for good is given up, and its call ends with a status", function()
    local car, server = before(each_call(function(conn, stream)
      conn.quiet = conn.index == 1 and stream > 1
      if not conn.quiet then
        conn:answer(stream, reply("conn" .. conn.index))
      end
    end), nil, lively)
    assert.equal("conn1", mesh.ok(car.app).name)
    local seen = mesh.call(car.app, { timeout = 0 })
    assert.equal("Unavailable", seen.code)
    assert.truthy(seen.message:find("meshtest.Echo: " .. server.address, 1, true), seen.message)
    assert.is_true(seen.millis >= 200 and seen.millis < 20000 * proc.patience, seen.millis)
    assert.equal("conn2", mesh.ok(car.app).name)
  end)

  it("hears of the end of its call when the caller falls silent for good", function()
    local car, server = before(function() end, nil, lively)
    local client = h2raw.dial(car.app)
    client:headers(1, {
      { ":method", "POST" }, { ":scheme", "http" }, { ":path", "/meshtest.Echo/Both" }, { ":authority", "x" },
      { "content-type", "application/grpc" }, { "te", "trailers" },
    })
    proc.await("the call", 10000, function()
      return server.conns[1] and server.conns[1]:seen(f.HEADERS)
    end)
    client.quiet = true
    server.conns[1]:await("the reset", function(conn)
      return conn:seen(f.RST_STREAM)
    end)
    client:close()
  end)

  it("with windows of one byte gets the whole body", function()
    local car, server = before(function(conn, frame)
      if frame.kind == f.DATA then
        if frame.stream > 1 and #frame.payload > 0 then
          assert.equal(1, #frame.payload)
          conn:window(frame.stream, 1)
        end
        if frame.flags % 2 == 1 then
          conn:answer(frame.stream, reply("patient"))
        end
      end
    end, { settings = { [WINDOW] = 1 } })
    -- The settings may come after the first call.
    assert.equal("patient", mesh.ok(car.app, { bytes = 0 }).name)
    assert.equal("patient", mesh.ok(car.app, { bytes = 2000 }).name)
    assert.is_true(#server.conns[1]:body(3) > 2000)
  end)

  it("that takes its window back in the middle of a body gets the whole of it", function()
    local conn_of, done
    local car = before(function(conn, frame)
      conn_of = conn
      if frame.kind == f.DATA and not done then
        done = true
        conn:settings({ [WINDOW] = 0 })
        conn:window(0, 1000000)
      elseif frame.kind == f.SETTINGS and frame.flags == f.ACK and done == true then
        done = "again"
        conn:settings({ [WINDOW] = 1000000 })
      end
      if frame.kind == f.DATA and frame.flags % 2 == 1 then
        conn:answer(frame.stream, reply("whole"))
      end
    end)
    assert.equal("whole", mesh.ok(car.app, { bytes = 300000 }).name)
    assert.is_true(#conn_of:body(1) > 300000)
  end)

  it("may cut its header blocks into several frames", function()
    local car = before(each_call(function(conn, stream)
      local function cut(fields, flags)
        local block = f.block(fields)
        conn:send(f.frame(f.HEADERS, flags, stream, ""))
        for i = 1, 6 do
          conn:send(f.frame(f.CONTINUATION, i == 6 and f.END_HEADERS or 0, stream, block:sub(i, i < 6 and i or -1)))
        end
      end
      cut({ { ":status", "200" }, { "content-type", "application/grpc" }, { "x-cut", "yes" } }, 0)
      conn:data(stream, f.message(reply("cut")))
      cut({ { "grpc-status", "0" }, { "x-cut-too", "yes" } }, f.END_STREAM)
    end))
    local seen = mesh.ok(car.app)
    assert.same({ "cut", "yes", "yes" }, { seen.name, seen.header["x-cut"], seen.trailer["x-cut-too"] })
  end)

  it("that sends headers without end is cut off, and the sidecar goes on", function()
    local car, server = before(each_call(function(conn, stream)
      conn:send(f.frame(f.HEADERS, 0, stream, f.block(ok)))
      for _ = 1, 400 do
        conn:send(f.frame(f.CONTINUATION, 0, stream, f.block({ { "x-more", ("x"):rep(8000) } })))
      end
    end))
    local seen = mesh.call(car.app)
    assert.is_true(seen.code == "Unavailable" or seen.code == "Internal" or seen.code == "ResourceExhausted", seen.code)
    proc.await("the end of the connection", 20000, function()
      return server.conns[1].closed or server.conns[1]:seen(f.GOAWAY)
    end)
    assert.is_nil(car.process.code)
  end)

  local broken = {
    ["DATA before its headers"] = function(conn, stream)
      conn:data(stream, f.message("x"))
    end,
    ["a broken header block"] = function(conn, stream)
      conn:send(f.frame(f.HEADERS, f.END_HEADERS, stream, "\255\255\255\255\255\255"))
    end,
    ["headers on a stream that nobody opened"] = function(conn)
      conn:headers(99, ok)
    end,
    ["a push"] = function(conn, stream)
      conn:send(f.frame(f.PUSH_PROMISE, f.END_HEADERS, stream, f.u32(2) .. f.block(ok)))
    end,
    ["SETTINGS of a wrong size"] = function(conn)
      conn:send(f.frame(f.SETTINGS, 0, 0, "12345"))
    end,
    ["a frame size that is not allowed"] = function(conn)
      conn:settings({ [FRAME] = 100 })
    end,
    ["a window over 2^31-1"] = function(conn)
      conn:window(0, 2 ^ 31 - 1)
    end,
    ["a frame that is too long"] = function(conn, stream)
      conn:send(f.frame(f.DATA, 0, stream, ("x"):rep(20000)))
    end,
    ["no status"] = function(conn, stream)
      conn:headers(stream, { { "content-type", "application/grpc" } })
    end,
    ["thousands of SETTINGS"] = function(conn)
      conn:send(f.frame(f.SETTINGS, 0, 0, "\0\3\0\0\0\100"):rep(5000))
    end,
    ["bytes of another protocol"] = function(conn)
      conn:send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
      conn:close()
    end,
  }
  for name, act in pairs(broken) do
    it("that sends " .. name .. " ends its call with a status, and is called again", function()
      local car = before(each_call(function(conn, stream)
        if conn.index > 1 or stream > 1 then
          conn:answer(stream, reply("mended"))
        else
          act(conn, stream)
        end
      end))
      local seen = mesh.call(car.app, { timeout = "60s" })
      assert.is_true(seen.code == "Unavailable" or seen.code == "Internal", seen.code .. ": " .. seen.message)
      assert.is_true(seen.millis < 30000, seen.millis)
      assert.equal("mended", mesh.ok(car.app).name)
    end)
  end

  it("that changes its settings with every call loses none", function()
    local turn = 0
    local car = before(each_call(function(conn, stream)
      turn = turn + 1
      conn:settings({ [TABLE] = turn % 3 * 2048, [FRAME] = 16384 + turn, [WINDOW] = 1000 + turn * 100, [STREAMS] = 1 + turn % 5 })
      conn:answer(stream, reply("x"))
    end))
    assert.same({ ["x:OK"] = 25 }, mesh.ok(car.app, { times = 25, bytes = 300 }).names)
  end)

  it("that allows one stream gets a connection for each call under way", function()
    local held = {}
    local car, server = before(each_call(function(conn, stream)
      held[#held + 1] = function()
        conn:answer(stream, reply("held"))
      end
    end), { settings = { [STREAMS] = 1 } })
    local calls = {}
    -- One after another: before its settings have come, a connection may get more.
    for i = 1, 4 do
      calls[i] = mesh.start_call(car.app)
      proc.await("another call", 10000, function()
        return #held == i
      end)
    end
    assert.equal(4, #server.conns)
    for i = 1, 4 do
      held[i]()
    end
    for i = 1, 4 do
      assert.equal("OK", mesh.answer(calls[i]).code)
    end
  end)

  it("is read no faster than the caller reads", function()
    local sent, window, stream_of = 0, 65535, nil
    local pieces = f.frame(f.DATA, 0, 1, ("x"):rep(1000))
    local car, server = before(function(conn, frame)
      if frame.kind == f.HEADERS then
        stream_of = frame.stream
        conn:headers(stream_of, ok)
      elseif frame.kind == f.SETTINGS and frame.flags == 0 then
        for i = 1, #frame.payload, 6 do
          local id, value = frame.payload:byte(i + 1), frame.payload:sub(i + 2, i + 5)
          if id == WINDOW then
            local a, b, c, d = value:byte(1, 4)
            window = ((a * 256 + b) * 256 + c) * 256 + d
          end
        end
      elseif frame.kind == f.WINDOW_UPDATE and stream_of and frame.stream == stream_of then
        local a, b, c, d = frame.payload:byte(1, 4)
        window = window + ((a * 256 + b) * 256 + c) * 256 + d
      end
      while stream_of and sent + 1000 <= window do
        sent = sent + 1000
        conn:send((pieces:gsub("^(.....)....", "%1" .. f.u32(stream_of))))
      end
    end)
    local client = h2raw.dial(car.app, { [WINDOW] = 1 })
    client:headers(1, { { ":method", "POST" }, { ":scheme", "http" }, { ":path", "/meshtest.Echo/Down" }, { ":authority", "x" }, { "content-type", "application/grpc" }, { "te", "trailers" } })
    client:data(1, f.message(""), true)
    client:await("a byte", function()
      return #client:body(1) == 1
    end)
    proc.watch(200)
    assert.equal(1, #client:body(1))
    assert.is_true(sent < 2 ^ 20, sent)
    for _ = 1, 50 do
      local had = #client:body(1)
      client:window(1, 1)
      client:await("one more byte", function()
        return #client:body(1) == had + 1
      end)
    end
    client:reset(1, CANCEL)
    server.conns[1]:await("the reset", function(conn)
      return conn:seen(f.RST_STREAM, stream_of)
    end)
    client:close()
  end)

  it("may answer before the request is over", function()
    local car = before(function(conn, frame)
      if frame.kind == f.HEADERS then
        conn:headers(frame.stream, ok)
        conn:data(frame.stream, f.message(reply("first")))
        conn:headers(frame.stream, fine, true)
      end
    end)
    local seen = mesh.ok(car.app, { method = "Up", asks = 2000, bytes = 1000 })
    assert.equal("first", seen.name)
  end)
end)
