local f = require("spec.support.frames")
local h2raw = require("spec.support.h2raw")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local path = "/meshtest.Echo/Both"

-- What a gRPC client, its libraries and its application may send, in an order that nobody sorts.
local request = {
  { ":method", "POST" },
  { ":scheme", "http" },
  { ":path", path },
  { ":authority", "echo.example:8443" },
  { "user-agent", "grpc-java-netty/1.50.2" },
  { "content-type", "application/grpc+proto" },
  { "te", "trailers" },
  { "grpc-accept-encoding", "identity,deflate,gzip" },
  { "grpc-encoding", "gzip" },
  { "accept-encoding", "identity, gzip" },
  { "grpc-trace-bin", "AAAbc8b1jPVpQ3yWnfNyS3rhAW5x4nJtSQ8pAgE" },
  { "grpc-tags-bin", "AAABA2tleQV2YWx1ZQ" },
  { "x-twice", "first" },
  { "grpc-previous-rpc-attempts", "2" },
  { "x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7" },
  { "x-b3-spanid", "e457b5a2e4d86bd1" },
  { "x-b3-sampled", "1" },
  { "x-twice", "second, with a comma" },
  { "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" },
  { "tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
  { "authorization", "Bearer eyJhbGciOiJub25lIn0.e30." },
  { "cookie", "a=1" },
  { "cookie", "b=2; c=3" },
  { "x-empty", "" },
  { "x-forwarded-for", "203.0.113.7" },
  { "x-bytes-bin", "AP+A,AQI" },
  { "x-long", ("0123456789"):rep(300) },
  { "x-twice", "third" },
  { "date", "Tue, 15 Nov 1994 08:12:31 GMT" },
  { "x-symbols", "!#$%&'*+-.^_`|~ \"(),/:;<=>?@[\\]{}" },
  { "baggage", "user=alice" },
}

local response = {
  { ":status", "200" },
  { "server", "grpc-c++" },
  { "content-type", "application/grpc+proto" },
  { "grpc-encoding", "gzip" },
  { "grpc-accept-encoding", "identity,deflate,gzip" },
  { "grpc-trace-bin", "AAAbc8b1jPVpQ3yW" },
  { "date", "Tue, 15 Nov 1994 08:12:31 GMT" },
  { "via", "1.1 somebody" },
  { "set-cookie", "a=1" },
  { "set-cookie", "b=2" },
  { "x-empty", "" },
  { "x-bytes-bin", "AP+A" },
}
for i = 1, 20 do
  response[#response + 1] = { "x-header-" .. (i * 7) % 20, "value " .. i }
end

local trailers = {
  { "x-first", "1" },
  { "grpc-status", "3" },
  { "grpc-message", "w%C3%B6rter%25" },
  { "grpc-status-details-bin", "CAMSBHdvcmQ" },
  { "grpc-server-stats-bin", "AADwAQAAAAAAAA" },
  { "endpoint-load-metrics-bin", "CQAAAAAAAOA/EQAAAAAAAPA" },
  { "grpc-retry-pushback-ms", "-1" },
  { "x-twice", "first" },
  { "x-empty", "" },
  { "x-twice", "second" },
}
for i = 1, 20 do
  trailers[#trailers + 1] = { "x-trailer-" .. (i * 7) % 20, "value " .. i }
end

-- Two messages that claim to be compressed: nobody looks into them.
local asked = f.message("\31\139\8 no gzip at all", 1) .. f.message("")
local told = f.message("") .. f.message("\0\1\2\255", 1)

describe("header fields of a forwarded call", function()
  local server, cars = nil, {}

  setup(function()
    mesh.setup()
    server = h2raw.serve()
    local route = 'routes = { { match = {}, to = "echo" } },'
    cars.inner = mesh.provider("echo", server.address)
    cars.outer = mesh.car(mesh.static({ echo = { cars.inner.mesh } }) .. route)
    cars.plain = mesh.car(mesh.static({ echo = { server.address } }, true) .. route)
  end)
  teardown(function()
    server.close()
    for _, car in pairs(cars) do
      car:stop()
    end
    mesh.teardown()
  end)

  local known = {}

  --- Waits for a new call at the server: its connection and its stream.
  local function arrival()
    local conn, stream
    proc.await("a call", 10000, function()
      for _, each in ipairs(server.conns) do
        for i = #each.frames, 1, -1 do
          local frame = each.frames[i]
          if frame.fields and not known[frame] then
            conn, stream, known[frame] = each, frame.stream, true
            return true
          end
        end
      end
    end)
    return conn, stream
  end

  --- A call on a new connection, as far as the server.
  local function begin(car, fields, body)
    local client = h2raw.dial(car.app)
    client:headers(1, fields)
    client:data(1, body, true)
    local conn, stream = arrival()
    conn:await("the end of the request", function()
      local _, over = conn:body(stream)
      return over
    end)
    return client, conn, stream
  end

  for _, way in ipairs({ "plain", "outer" }) do
    describe(way == "plain" and "through one sidecar" or "through two sidecars", function()
      it("arrive as they were sent, all of them in their order, and so do those of the answer", function()
        local client, conn, stream = begin(cars[way], request, asked)
        assert.same({ request }, conn:blocks(stream))
        assert.equal(asked, (conn:body(stream)))
        conn:headers(stream, response)
        conn:data(stream, told)
        conn:headers(stream, trailers, true)
        client:await("the end of the answer", function()
          local _, over = client:body(1)
          return over
        end)
        assert.same({ response, trailers }, client:blocks(1))
        assert.equal(told, (client:body(1)))
        assert.is_nil(client:seen(f.RST_STREAM))
        client:close()
      end)

      it("arrive as they were sent when the answer is trailers only", function()
        local client, conn, stream = begin(cars[way], request, asked)
        local only = { { ":status", "200" }, { "content-type", "application/grpc+proto" }, unpack(trailers) }
        conn:headers(stream, only, true)
        client:await("the answer", function()
          return #client:blocks(1) > 0
        end)
        assert.same({ only }, client:blocks(1))
        local _, over = client:body(1)
        assert.is_true(over)
        client:close()
      end)

      it("arrive as they were sent when the answer is no gRPC at all", function()
        local client, conn, stream = begin(cars[way], request, asked)
        local html = { { ":status", "503" }, { "content-type", "text/html" }, { "content-length", "4" } }
        conn:headers(stream, html)
        conn:data(stream, "oops", true)
        client:await("the end of the answer", function()
          local _, over = client:body(1)
          return over
        end)
        assert.same({ html }, client:blocks(1))
        assert.equal("oops", (client:body(1)))
        client:close()
      end)

      it("keep the deadline in its place, with less left", function()
        local fields = { unpack(request) }
        table.insert(fields, 9, { "grpc-timeout", "70S" })
        local client, conn, stream = begin(cars[way], fields, asked)
        local came = conn:blocks(stream)[1]
        local digits, unit = came[9][2]:match("^(%d+)(%a)$")
        local ms = tonumber(digits) * ({ H = 3600000, M = 60000, S = 1000, m = 1, u = 0.001, n = 0.000001 })[unit]
        assert.is_true(#digits <= 8 and ms > 50000 and ms <= 70000, came[9][2])
        came[9][2] = "70S"
        assert.same(fields, came)
        client:reset(1, 8)
        client:close()
      end)
    end)
  end

  it("stay secret all the way when they are, and only these", function()
    -- nghttp2 itself makes no secret of any of these.
    local function block(first, secret)
      return { { first[1], first[2], true }, { "x-plain", "1", true }, { secret, "2" }, { "x-plain-too", "3", true } }
    end
    for _, way in ipairs({ "plain", "outer" }) do
      local fields = block({ ":method", "POST" }, "x-secret")
      for i = 2, 7 do
        table.insert(fields, i, { request[i][1], request[i][2], true })
      end
      local client, conn, stream = begin(cars[way], fields, asked)
      conn:headers(stream, block({ ":status", "200" }, "x-secret-too"))
      conn:headers(stream, block({ "grpc-status", "0" }, "x-secret-last"), true)
      client:await("the end of the answer", function()
        return #client:blocks(1) == 2
      end)
      local seen = { conn:seen(f.HEADERS, stream).secret }
      for _, frame in ipairs(client.frames) do
        seen[#seen + 1] = frame.secret
      end
      assert.same({ { "x-secret" }, { "x-secret-too" }, { "x-secret-last" } }, seen)
      client:close()
    end
  end)

  it("may be as long as limits.header_list_bytes says", function()
    local car = mesh.car(
      mesh.static({ echo = { server.address } }, true)
        .. 'routes = { { match = {}, to = "echo" } }, limits = { header_list_bytes = "512KiB" },'
    )
    local function long(fields)
      local all = { unpack(fields) }
      for i = 1, 250 do
        all[#all + 1] = { "x-long-" .. i, ("x"):rep(1000) }
      end
      return all
    end
    local client, conn, stream = begin(car, long(request), asked)
    assert.same({ long(request) }, conn:blocks(stream))
    conn:headers(stream, long(response))
    conn:headers(stream, long(trailers), true)
    client:await("the end of the answer", function()
      return #client:blocks(1) == 2
    end)
    assert.same({ long(response), long(trailers) }, client:blocks(1))
    client:close()
    car:stop()
  end)

  it("lose those that are Perigee's own on the way to an application", function()
    local fields = { unpack(request) }
    table.insert(fields, 10, { "perigee-hop", "1" })
    table.insert(fields, 15, { "perigee-service", "echo" })
    for _, way in ipairs({ "plain", "outer" }) do
      local client, conn, stream = begin(cars[way], fields, asked)
      assert.same({ request }, conn:blocks(stream))
      client:reset(1, 8)
      conn:await("the reset", function()
        return conn:seen(f.RST_STREAM, stream)
      end)
      client:close()
    end
  end)
end)
