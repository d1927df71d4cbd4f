local M = require("spec.core.proxy.rig")
local ffi = M.ffi

local binary = "AAECAwQFBgcICQoLDA0ODw=="
local request = {
  { ":path", "/orders.v1.Orders/Echo" },
  { ":authority", "orders.example:7400" },
  { "content-type", "application/grpc+proto" },
  { "te", "trailers" },
  { "user-agent", "grpc-c++/1.51.1 grpc-c/29.0.0 (linux; chttp2)" },
  { "grpc-encoding", "gzip" },
  { "grpc-accept-encoding", "identity, deflate, gzip" },
  { "accept-encoding", "identity,gzip" },
  { "grpc-trace-bin", binary },
  { "grpc-tags-bin", "AAAKZmlyc3QFdmFsdWU" },
  { "grpc-message-type", "orders.v1.Order" },
  { "grpc-previous-rpc-attempts", "1" },
  { "authorization", "Bearer 0123456789" },
  { "cookie", "a=b" },
  { "x-repeated", "one" },
  { "x-between", "two" },
  { "x-repeated", "three" },
  { "x-repeated", "one" },
  { "x-empty", "" },
  { "x-spaces", "a  b" },
  { "x-bytes-bin", "/+8=" },
  { "x-bytes-bin", "AA,BB" },
  { "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
  { "tracestate", "congo=t61rcWkgMzE" },
  { "x-request-id", "5b1c" },
  { "lb-token", "abc" },
  { "perigeex-hop", "1" },
  { "content-length", "5" },
}
local response = {
  { ":status", "200" },
  { "content-type", "application/grpc+proto" },
  { "grpc-encoding", "gzip" },
  { "grpc-accept-encoding", "identity, deflate, gzip" },
  { "server", "some" },
  { "date", "Sat, 21 Nov 2026 14:00:00 GMT" },
  { "x-repeated", "1" },
  { "x-between", "2" },
  { "x-repeated", "3" },
  { "x-initial-bin", binary },
}
local trailers = {
  { "grpc-status", "3" },
  { "grpc-message", "no such%20order%0A" },
  { "grpc-status-details-bin", "CAMSBm5vIHN1Y2g" },
  { "grpc-server-stats-bin", "AAAKAAAAAAAAAA" },
  { "endpoint-load-metrics-bin", "CQAAAAAAAPA/" },
  { "x-repeated", "a" },
  { "x-between", "b" },
  { "x-repeated", "c" },
  { "x-empty", "" },
  { "x-trailing-bin", binary },
}

describe("proxy/headers", function()
  local rig, backend, address
  local function start(mark)
    rig = M.rig()
    backend, address = rig.backend(0)
    rig.publish("orders.v1.Orders " .. address .. (mark or ""))
  end
  after_each(function()
    rig.free()
  end)

  local function exchange(extra, mesh)
    local fields = {}
    for _, field in ipairs(request) do
      fields[#fields + 1] = field
    end
    for _, field in ipairs(extra or {}) do
      fields[#fields + 1] = field
    end
    backend.head = rig.text_for(M.lines(response))
    backend.trailers = rig.text_for(M.lines(trailers))
    return rig.fetch("Echo", fields, "hello", mesh), M.request("Echo", fields)
  end

  it("passes everything as it came, in its order", function()
    start()
    local call, sent = exchange()
    assert.equal(sent, rig.text(backend.fields))
    assert.equal(M.lines(response), rig.head(call))
    assert.equal(M.lines(trailers), rig.text(call.trailers))
    assert.equal("hello", rig.text(call.body))
    assert.is_true(#request + #response + #trailers >= 25)
  end)

  it("tells another sidecar whose call it is, once", function()
    start("*")
    local call, sent = exchange()
    assert.equal(sent .. "perigee-hop: 1\nperigee-service: orders.v1.Orders\n", rig.text(backend.fields))
    assert.equal(M.lines(response), rig.head(call))
    local spoofed = { { "perigee-hop", "1" }, { "perigee-service", "orders.v1.Orders" }, { "x-last", "1" } }
    exchange(spoofed)
    assert.equal(
      sent .. "x-last: 1\nperigee-hop: 1\nperigee-service: orders.v1.Orders\n",
      rig.text(backend.fields)
    )
  end)

  it("gives an endpoint that is no sidecar no header of ours", function()
    start()
    local _, sent = exchange({ { "perigee-hop", "1" }, { "perigee-service", "orders.v1.Orders" }, { "x-last", "1" } })
    local expected = sent:gsub("perigee%-[%w]+: [^\n]+\n", "")
    assert.equal(expected, rig.text(backend.fields))
  end)

  it("keeps to itself that the caller asks why", function()
    for _, kind in ipairs({ "", "*" }) do
      start(kind)
      local _, sent = exchange({ { "perigee-explain", "1" }, { "x-last", "1" } })
      local expected = sent:gsub("perigee%-[%w]+: [^\n]+\n", "")
      assert.equal(expected, (rig.text(backend.fields):gsub("perigee%-[hs][%w]+: [^\n]+\n", "")))
      rig.free()
    end
    start()
  end)

  it("passes as many fields as may come", function()
    start("*")
    local extra = {}
    for i = 1, 30 do
      extra[i] = { "x-" .. i, tostring(i) }
    end
    local _, sent = exchange(extra)
    assert.equal(sent .. "perigee-hop: 1\nperigee-service: orders.v1.Orders\n", rig.text(backend.fields))
  end)

  it("passes the deadline on less the time spent", function()
    start()
    rig.fetch("Echo", { { "x-before", "1" }, { "grpc-timeout", "2S" }, { "x-after", "1" } }, "x")
    local fields = rig.text(backend.fields)
    local value = M.value(fields, "grpc-timeout")
    local digits = value:match("^(%d+)u$")
    assert.is_true(#digits <= 8)
    assert.is_true(tonumber(digits) <= 2000000 and tonumber(digits) > 1500000)
    assert.matches("x%-before: 1\ngrpc%-timeout: %d+u\nx%-after: 1\n", fields)
  end)

  it("passes a deadline on once, however often it came", function()
    start()
    rig.fetch("Echo", { { "grpc-timeout", "2S" }, { "grpc-timeout", "9S" } }, "x")
    local _, count = rig.text(backend.fields):gsub("grpc%-timeout", "")
    assert.equal(1, count)
  end)

  it("sends no grpc-timeout where none came", function()
    start()
    rig.fetch("Echo", nil, "x")
    assert.is_nil(M.value(rig.text(backend.fields), "grpc-timeout"))
  end)

  it("counts a status that is none as UNKNOWN", function()
    start()
    for _, odd in ipairs({ "x", "", "1234", "99" }) do
      backend.trailers = rig.text_for("grpc-status: " .. odd .. "\n")
      local call = rig.fetch("Echo", nil, "x")
      assert.equal(ffi.string(backend.trailers), rig.text(call.trailers))
    end
    assert.equal(4, rig.metric("perigee_proxy_calls_total", 'service="orders.v1.Orders",code="UNKNOWN"'))
  end)
end)
