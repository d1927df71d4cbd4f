local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

describe("proxy/find", function()
  local rig
  local backends
  local function start(config, options)
    options = options or {}
    options.config = config
    rig = M.rig(options)
    backends = {}
    for i = 0, 2 do
      local backend, address = rig.backend(i)
      backends[i] = { struct = backend, address = address }
    end
  end
  after_each(function()
    rig.free()
  end)

  local function publish(...)
    local lines = {}
    for i, name in ipairs({ ... }) do
      lines[i] = name .. " " .. backends[i - 1].address
    end
    rig.publish(table.concat(lines, "\n"))
  end

  --- Which backend a call reaches, or its status and words.
  local function reached(extra, method)
    local before = {}
    for i = 0, 2 do
      before[i] = backends[i].struct.requests
    end
    local call = rig.fetch(method or "Echo", extra, "x")
    for i = 0, 2 do
      if backends[i].struct.requests > before[i] then
        return i
      end
    end
    return rig.status(call)
  end

  it("goes by perigee-service first, then routes, :authority and the gRPC service", function()
    start('{"routes":[{"match":{"service":"orders.v1.Orders","method":"Echo"},"to":"a"}]}')
    publish("a", "b", "orders.v1.Orders")
    assert.equal(1, reached({ { "perigee-service", "b" }, { ":authority", "a" } }))
    assert.equal(0, reached({ { ":authority", "b" } }))
    rig.free()
    start('{"registry":{"kind":"static","services":{}}}')
    publish("a", "b", "orders.v1.Orders")
    assert.equal(1, reached({ { ":authority", "b" } }))
    assert.equal(1, reached({ { ":authority", "b:7400" } }))
    assert.equal(2, reached())
  end)

  it("matches routes by header, pattern and authority, and goes to addresses", function()
    start('{"routes":[{"match":{"header":{"x-stage":{"pattern":"anar"}}},"to":"a"},' .. '{"match":{"authority":"b.*"},"to":"b"}]}')
    publish("a", "b")
    assert.equal(0, reached({ { "x-stage", "canary" } }))
    assert.equal(1, reached({ { ":authority", "b.example" } }))
    assert.equal(12, (reached({ { "x-stage", "prod" } })))
  end)

  it("splits traffic by weight", function()
    start('{"routes":[{"match":{},"to":[{"service":"a","weight":3},{"service":"b","weight":1}]}]}')
    publish("a", "b")
    local counts = { [0] = 0, [1] = 0 }
    for _ = 1, 200 do
      local at = reached()
      counts[at] = counts[at] + 1
    end
    assert.is_true(counts[0] > 120 and counts[1] > 20)
  end)

  it("clamps the deadline to the route's timeout", function()
    start('{"routes":[{"match":{},"to":"a","timeout":"80ms"}]}')
    publish("a")
    assert.equal(4, (rig.status(rig.fetch("Hold", nil, "x"))))
    assert.equal(4, (rig.status(rig.fetch("Hold", { { "grpc-timeout", "1H" } }, "x"))))
    local sent = M.value(rig.text(backends[0].struct.fields), "grpc-timeout")
    assert.is_true(tonumber(sent:match("^(%d+)[un]$")) > 0)
    local from = os.clock()
    assert.equal(4, (rig.status(rig.fetch("Hold", { { "grpc-timeout", "10m" } }, "x"))))
    assert.is_true(os.clock() - from < 0.5)
  end)

  it("waits for a name that nobody knew, and asks for it", function()
    start()
    publish("a")
    local call = rig.open("Echo", nil, "hello")
    rig.settle()
    assert.equal(0, call.closes)
    assert.equal("orders.v1.Orders ", ffi.string(rig.ptr.wanted))
    publish("orders.v1.Orders")
    rig.wait(call)
    assert.equal(0, (rig.status(call)))
    assert.equal("hello", rig.text(call.body))
  end)

  it("waits for the first snapshot", function()
    start('{"routes":[{"match":{},"to":"a"}]}', { without_want = true })
    local call = rig.open("Echo", nil, "hello")
    rig.settle()
    assert.equal(0, call.closes)
    publish("a")
    rig.wait(call)
    assert.equal(0, (rig.status(call)))
  end)

  it("keeps the body of a call that waits, and its place among deadlines", function()
    start()
    local body = ("x"):rep(150000)
    local call = rig.open("Echo", { { "grpc-timeout", "3S" } }, body)
    local gone = rig.open("Echo", { { "perigee-service", "none" } }, "x")
    local late = rig.open("Echo", { { "grpc-timeout", "40m" } }, "x")
    rig.settle()
    C.proxy_call_reset(gone, 8)
    rig.wait(late)
    assert.equal(4, (rig.status(late)))
    publish("orders.v1.Orders")
    rig.wait(call)
    assert.equal(#body, tonumber(call.body.len))
    assert.equal(0, rig.in_flight())
  end)

  it("gives up on a name after a second, and remembers", function()
    start()
    publish("a")
    local named = rig.open("Echo", { { "perigee-service", "orders" } }, "x")
    local other = rig.open("Echo", { { ":authority", "shop.example:80" } }, "x")
    rig.wait(named)
    rig.wait(other)
    local status, message = rig.status(named)
    assert.equal(14, status)
    assert.equal("orders: no endpoint is known", message)
    status, message = rig.status(other)
    assert.equal(12, status)
    assert.matches("/orders.v1.Orders/Echo", message, 1, true)
    assert.matches('"shop.example:80" or "orders.v1.Orders"', message, 1, true)
    assert.equal("orders orders.v1.Orders shop.example ", ffi.string(rig.ptr.wanted))
    local from = C.peri_loop_now_ns(rig.ptr.loop)
    assert.equal(14, (rig.status(rig.fetch("Echo", { { "perigee-service", "orders" } }, "x"))))
    assert.equal(12, (rig.status(rig.fetch("Echo", { { ":authority", "shop.example:80" } }, "x"))))
    assert.is_true(C.peri_loop_now_ns(rig.ptr.loop) - from < 500000000)
  end)

  it("refuses at once when a service is known and empty, or nobody can be asked", function()
    start(nil, { without_want = true })
    rig.publish("orders.v1.Orders ")
    local status, message = reached()
    assert.equal(14, status)
    assert.equal("orders.v1.Orders: no endpoint is known", message)
    status, message = reached(nil, "/shop.Shop/Echo")
    assert.equal(12, status)
    assert.matches("no route for /shop.Shop/Echo", message, 1, true)
    assert.equal(12, (reached(nil, "/nothing")))
  end)

  it("gives up on a route's service too", function()
    start('{"routes":[{"match":{},"to":"a"}]}')
    rig.publish("b ")
    local status, message = reached()
    assert.equal(14, status)
    assert.equal("a: no endpoint is known", message)
  end)
end)
