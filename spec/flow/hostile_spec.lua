local f = require("spec.support.frames")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local settings = f.frame(f.SETTINGS, 0, 0, "")
local hello = f.preface .. settings
local get = "/groupcachepb.GroupCache/Get"
local message = f.message("\10\1g\18\1k")

--- A whole, proper call on a stream.
local function call(stream)
  return f.frame(f.HEADERS, f.END_HEADERS, stream, f.request(get)) .. f.frame(f.DATA, f.END_STREAM, stream, message)
end

local violations = {
  ["a wrong preface"] = "GET / HTTP/1.1\r\n\r\n",
  ["a frame before SETTINGS"] = f.preface .. f.frame(f.PING, 0, 0, "12345678"),
  ["an oversized frame"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, "", 16385) .. ("x"):rep(16385),
  ["DATA on stream 0"] = hello .. f.frame(f.DATA, 0, 0, "x"),
  ["HEADERS on stream 0"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 0, f.request(get)),
  ["HEADERS on an even stream"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 2, f.request(get)),
  ["DATA on an idle stream"] = hello .. f.frame(f.DATA, 0, 1, "x"),
  ["RST_STREAM on an idle stream"] = hello .. f.frame(f.RST_STREAM, 0, 1, f.u32(8)),
  ["RST_STREAM of a wrong size"] = hello .. call(1) .. f.frame(f.RST_STREAM, 0, 1, "123"),
  ["SETTINGS of a wrong size"] = hello .. f.frame(f.SETTINGS, 0, 0, "12345"),
  ["SETTINGS on a stream"] = hello .. f.frame(f.SETTINGS, 0, 1, ""),
  ["a SETTINGS ACK with a payload"] = hello .. f.frame(f.SETTINGS, f.ACK, 0, "123456"),
  ["an initial window over 2^31-1"] = hello .. f.frame(f.SETTINGS, 0, 0, "\0\4\255\255\255\255"),
  ["a PING of a wrong size"] = hello .. f.frame(f.PING, 0, 0, "1234567"),
  ["a PING on a stream"] = hello .. f.frame(f.PING, 0, 1, "12345678"),
  ["a window update of 0 on the connection"] = hello .. f.frame(f.WINDOW_UPDATE, 0, 0, f.u32(0)),
  ["a window over 2^31-1"] = hello .. f.frame(f.WINDOW_UPDATE, 0, 0, f.u32(2 ^ 31 - 1)) .. f.frame(f.WINDOW_UPDATE, 0, 0, f.u32(2 ^ 31 - 1)),
  ["a window update of a wrong size"] = hello .. f.frame(f.WINDOW_UPDATE, 0, 0, "123"),
  ["PUSH_PROMISE from a client"] = hello .. f.frame(f.PUSH_PROMISE, f.END_HEADERS, 1, f.u32(2)),
  ["CONTINUATION without HEADERS"] = hello .. f.frame(f.CONTINUATION, f.END_HEADERS, 1, f.request(get)),
  ["another frame between HEADERS and CONTINUATION"] = hello .. f.frame(f.HEADERS, 0, 1, f.request(get)) .. f.frame(f.PING, 0, 0, "12345678"),
  ["padding longer than the frame"] = hello .. f.frame(f.HEADERS, f.END_HEADERS + f.PADDED, 1, "\255" .. f.request(get)),
  ["a broken header block"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, "\255\255\255\255\255\255"),
  ["an index beyond the table"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, "\255\1"),
  ["a lower stream id"] = hello .. call(5) .. call(3),
  ["an upper-case header name"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(get, { { "X-Upper", "1" } })),
  ["a missing :path"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request("")),
  ["two :method"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.block({ { ":method", "POST" }, { ":method", "POST" }, { ":scheme", "http" }, { ":path", get } })),
  ["a pseudo-header after a header"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.block({ { ":method", "POST" }, { "te", "trailers" }, { ":scheme", "http" }, { ":path", get } })),
  ["an unknown pseudo-header"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(get, { { ":nope", "1" } })),
  ["a connection header"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(get, { { "connection", "close" } })),
  ["te other than trailers"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(get, { { "te", "gzip" } })),
  ["a content-length that lies"] = hello .. f.frame(f.HEADERS, f.END_HEADERS, 1, f.request(get, { { "content-length", "3" } })) .. f.frame(f.DATA, f.END_STREAM, 1, message),
}

describe("a hostile or broken peer", function()
  local car

  setup(function()
    sidecar.setup()
    car = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      limits = { handshake = "400ms", idle = "2s", streams_per_conn = 100, header_list_bytes = "16KiB", settings_per_s = 32, pings_per_s = 32, resets_per_s = 100 },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  -- After whatever was done, an honest caller must still be served.
  after_each(function()
    assert.equal("v", car:call({ group = "g", key = "k" }).value)
    assert.is_nil(car.process.code)
  end)

  --- Sends bytes and waits until the sidecar closes the connection or resets the stream.
  local function punished(bytes, stream)
    local socket = proc.connect(car.app)
    socket.send(bytes)
    socket.await("an end", function()
      return socket.closed or f.seen(socket.got, f.GOAWAY) or f.seen(socket.got, f.RST_STREAM, stream)
    end)
    local got, closed = socket.got, socket.closed
    socket.close()
    return got, closed
  end

  --- Sends bytes on a connection and returns the connection when `kind` has come on `stream`.
  local function answered(bytes, kind, stream)
    local socket = proc.connect(car.app)
    socket.send(bytes)
    socket.await("an answer", function()
      return f.seen(socket.got, kind, stream)
    end)
    local got = socket.got
    socket.close()
    return got
  end

  it("is answered when it is honest", function()
    local got = answered(hello .. call(1), f.DATA, 1)
    assert.equal(f.message("\10\1v"), f.seen(got, f.DATA, 1).payload:sub(1, 8))
  end)

  it("is answered whatever the split of its frames", function()
    local bytes = hello .. call(1)
    local socket = proc.connect(car.app)
    for i = 1, #bytes do
      socket.send(bytes:sub(i, i))
    end
    socket.await("an answer", function()
      return f.seen(socket.got, f.DATA, 1)
    end)
    socket.close()
  end)

  for name, bytes in pairs(violations) do
    it("is cut off for " .. name, function()
      punished(bytes)
    end)
  end

  --- What a proper HTTP/2 client is answered: the header or trailer `name`.
  local function ask(name, bytes, headers)
    local file = sidecar.folder .. "/body"
    proc.write(file, bytes)
    local args = { "-v", "-n", "-d", file, "-H", ":method: POST", "-H", "te: trailers" }
    for _, header in ipairs(headers or { "content-type: application/grpc" }) do
      args[#args + 1] = "-H"
      args[#args + 1] = header
    end
    args[#args + 1] = "http://" .. car.app .. get
    local said = proc.run("/usr/bin/nghttp", args).out:gsub("\27%[[%d;]*m", "")
    return said:match("recv %(stream_id=%d+%) " .. name:gsub("%-", "%%-") .. ": ([^\n]*)")
  end

  local function status(bytes)
    return ask("grpc-status", bytes)
  end

  it("is told 415 for another content-type", function()
    assert.equal("415", ask(":status", "{}", { "content-type: application/json" }))
    assert.equal("415", ask(":status", "x", { "content-type: application/grpcx" }))
  end)

  it("is told which encodings are understood", function()
    local headers = { "content-type: application/grpc", "grpc-encoding: snappy" }
    assert.equal("12", ask("grpc-status", "x", headers))
    assert.truthy(ask("grpc-accept-encoding", "x", headers):find("gzip", 1, true))
  end)

  it("is told of truncated, missing, doubled and oversized messages", function()
    assert.equal("13", (status(message:sub(1, -2))))
    assert.equal("13", (status(message:sub(1, 3))))
    assert.truthy(status("") ~= "0")
    assert.truthy(status(message .. message) ~= "0")
    assert.equal("8", (status("\0\127\255\255\255")))
    local file = sidecar.folder .. "/large"
    proc.write(file, ("x"):rep(4 * 1024 * 1024 + 1))
    assert.equal("ResourceExhausted", car:call({ verb = "raw", path = get, ["body-file"] = file }).code)
    assert.truthy(status(f.message("\31\139garbage", 1)) ~= "0")
    assert.truthy(status(f.message("x", 7)) ~= "0")
  end)

  it("is refused streams over the limit, and headers over theirs", function()
    local many = { hello }
    for i = 0, 149 do
      many[#many + 1] = f.frame(f.HEADERS, f.END_HEADERS, i * 2 + 1, f.request(get))
    end
    punished(table.concat(many))
    local large = f.request(get, { { "x-large", ("x"):rep(15000) }, { "x-larger", ("y"):rep(15000) } })
    local frames = { hello, f.frame(f.HEADERS, 0, 1, large:sub(1, 16000)) }
    frames[3] = f.frame(f.CONTINUATION, f.END_HEADERS, 1, large:sub(16001))
    local socket = proc.connect(car.app)
    socket.send(table.concat(frames))
    socket.await("a refusal", function()
      return socket.closed or f.seen(socket.got, f.RST_STREAM, 1) or f.seen(socket.got, f.HEADERS, 1) or f.seen(socket.got, f.GOAWAY)
    end)
    assert.is_nil(f.seen(socket.got, f.DATA, 1))
    socket.close()
  end)

  it("cannot flood with SETTINGS, PING, empty frames, CONTINUATION or rapid resets", function()
    punished(hello .. settings:rep(2000))
    punished(hello .. f.frame(f.PING, 0, 0, "12345678"):rep(2000))
    local rapid = { hello }
    for i = 0, 1999 do
      local id = i * 2 + 1
      rapid[#rapid + 1] = f.frame(f.HEADERS, f.END_HEADERS, id, f.request(get)) .. f.frame(f.RST_STREAM, 0, id, f.u32(8))
    end
    punished(table.concat(rapid), -1)
    local endless = { hello, f.frame(f.HEADERS, 0, 1, f.request(get)) }
    for _ = 1, 200 do
      endless[#endless + 1] = f.frame(f.CONTINUATION, 0, 1, f.block({ { "x", ("z"):rep(8000) } }))
    end
    punished(table.concat(endless))
    assert.truthy(car:metric("perigee_h2_floods_total") >= 3)
  end)

  it("is let go when it says nothing, or half of something", function()
    for _, bytes in ipairs({ "", "PRI * HT", f.preface }) do
      local socket = proc.connect(car.app)
      if #bytes > 0 then
        socket.send(bytes)
      end
      socket.await("the end of a half-open connection", function()
        return socket.closed
      end, 6000)
      socket.close()
    end
  end)

  it("that does not read costs bounded memory", function()
    local socket = proc.connect(car.app)
    socket.tcp:read_stop()
    local bytes = { hello }
    for i = 0, 98 do
      bytes[#bytes + 1] = call(i * 2 + 1)
    end
    socket.send(table.concat(bytes))
    proc.watch(100)
    socket.close()
  end)

  it("may send a PING for each answer, as gRPC clients do", function()
    local socket = proc.connect(car.app)
    socket.send(hello)
    for i = 0, 99 do
      local id = i * 2 + 1
      socket.send(call(id) .. f.frame(f.PING, 0, 0, "12345678"))
      socket.await("an answer", function()
        return socket.closed or f.seen(socket.got, f.DATA, id)
      end)
    end
    assert.is_false(socket.closed)
    assert.is_nil(f.seen(socket.got, f.GOAWAY))
    socket.close()
  end)

  it("gets its PINGs answered", function()
    local got = answered(hello .. f.frame(f.PING, 0, 0, "abcdefgh"), f.PING, 0)
    local pong = f.seen(got, f.PING)
    assert.equal("abcdefgh", pong.payload)
    assert.equal(f.ACK, pong.flags)
  end)

  it("that sends random bytes breaks nothing", function()
    math.randomseed(7)
    for _ = 1, 50 do
      local noise = {}
      for i = 1, 300 do
        noise[i] = string.char(math.random(0, 255))
      end
      local socket = proc.connect(car.app)
      socket.send(hello .. table.concat(noise))
      socket.close()
    end
  end)
end)
