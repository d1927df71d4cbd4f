local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

describe("proxy/inbound", function()
  local rig, first, second
  local function start(count)
    local a, b = M.address(), M.address()
    local provides = { ('{"service":"orders","address":"%s"}'):format(a), ('{"service":"stock","address":"%s"}'):format(b) }
    rig = M.rig({
      config = ('{"node":{"address":"127.0.0.1:7402"},"provides":[%s]}'):format(table.concat(provides, ",", 1, count)),
    })
    first = rig.backend(0, a)
    second = rig.backend(1, b)
  end
  after_each(function()
    rig.free()
  end)

  local function mark(name)
    return { { "perigee-hop", "1" }, { "perigee-service", name }, { "x-last", "1" } }
  end

  it("hands a call to the application that provides the service, without our headers", function()
    start(2)
    local call = rig.fetch("Echo", mark("stock"), "hello", true)
    assert.equal("hello", rig.text(call.body))
    assert.equal(0, (rig.status(call)))
    assert.equal(1, second.requests)
    assert.equal(M.request("Echo", { { "x-last", "1" } }), rig.text(second.fields))
    assert.equal(1, rig.metric("perigee_proxy_inbound_calls_total", 'service="stock",code="OK"'))
  end)

  it("goes by :authority, then to the only one", function()
    start(2)
    rig.fetch("Echo", { { ":authority", "stock" } }, "x", true)
    rig.fetch("Echo", { { ":authority", "stock:7402" } }, "x", true)
    assert.equal(2, second.requests)
    local status, message = rig.status(rig.fetch("Echo", nil, "x", true))
    assert.equal(12, status)
    assert.equal("localhost:7400: no such service is provided here", message)
    rig.free()
    start(1)
    rig.fetch("Echo", nil, "x", true)
    assert.equal(1, first.requests)
  end)

  it("takes what is provided later, and lets calls end when it goes", function()
    start(1)
    local address = ffi.string(second.address)
    local function provide(service, at)
      local code = C.peri_proxy_provide(
        rig.ptr.proxy,
        ffi.new("struct peri_slice", { service, #service }),
        ffi.new("struct peri_slice", { at, #at })
      )
      return code
    end
    assert.equal(C.PERI_EINVAL, provide("stock", "nowhere"))
    assert.equal(0, provide("stock", address))
    rig.fetch("Echo", mark("stock"), "x", true)
    assert.equal(1, second.requests)
    assert.equal(0, provide("orders", address))
    local call = rig.open("Echo", mark("orders"), false, true)
    rig.write(call, "a")
    assert.is_true(rig.until_true(function()
      return call.body.len == 1
    end))
    assert.equal(0, provide("orders", ""))
    assert.equal(0, provide("orders", ""))
    assert.equal(12, (rig.status(rig.fetch("Echo", mark("orders"), "x", true))))
    rig.write(call, "b")
    rig.finish(call)
    rig.wait(call)
    assert.equal("ab", rig.text(call.body))
    assert.equal(0, (rig.status(call)))
    assert.equal(0, first.requests)
  end)

  it("refuses and counts what is not provided", function()
    start(1)
    local status, message = rig.status(rig.fetch("Echo", mark("stock"), "x", true))
    assert.equal(12, status)
    assert.equal("stock: no such service is provided here", message)
    assert.equal(1, rig.metric("perigee_proxy_not_provided_total"))
    assert.equal(0, first.requests)
  end)

  it("answers UNAVAILABLE at once when the application has died", function()
    start(1)
    local call = rig.open("Hold", mark("orders"), "x", true)
    rig.until_true(function()
      return first.ends == 1
    end)
    C.proxy_backend_stop(rig.ptr, 0)
    rig.wait(call)
    assert.equal(14, (rig.status(call)))
    local status, message = rig.status(rig.fetch("Echo", mark("orders"), "x", true))
    assert.equal(14, status)
    assert.equal("orders: " .. ffi.string(first.address) .. ": could not connect: Connection refused", message)
  end)

  it("keeps the deadline", function()
    start(1)
    local fields = mark("orders")
    fields[#fields + 1] = { "grpc-timeout", "50m" }
    assert.equal(4, (rig.status(rig.fetch("Hold", fields, "x", true))))
    assert.equal(415, tonumber(M.value(rig.head(rig.fetch("Echo", { { "content-type", "text/html" } }, "x", true)), ":status")))
  end)
end)
