local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

describe("proxy/choose", function()
  local rig, backends
  local function start(count, options)
    rig = M.rig(options)
    backends = {}
    local addresses = {}
    for i = 1, count do
      local backend, address = rig.backend(i - 1)
      backends[i] = { struct = backend, address = address }
      addresses[i] = address
    end
    table.sort(backends, function(a, b)
      return a.address < b.address
    end)
    rig.publish("orders.v1.Orders " .. table.concat(addresses, ","))
  end
  after_each(function()
    rig.free()
  end)

  local function spread()
    local counts = {}
    for i, backend in ipairs(backends) do
      counts[i] = backend.struct.requests
    end
    return counts
  end

  it("goes round without a balancer", function()
    start(3, { without_host = true })
    for _ = 1, 9 do
      rig.fetch("Echo", nil, "x")
    end
    assert.same({ 3, 3, 3 }, spread())
  end)

  it("gives all others the same when one cannot be reached", function()
    start(3, { without_host = true })
    local addresses = { "127.0.0.1:1" }
    for i, backend in ipairs(backends) do
      addresses[i + 1] = backend.address
    end
    rig.publish("orders.v1.Orders " .. table.concat(addresses, ","))
    for _ = 1, 9 do
      rig.fetch("Echo", nil, "x")
    end
    assert.same({ 3, 3, 3 }, spread())
  end)

  it("does what the balancer says, and tells it about the call", function()
    start(3)
    local policy = rig.ptr.policy
    policy.pick = 1
    local call = rig.open("Echo", { { "x-key", "k1" }, { "grpc-timeout", "5S" } }, "hello")
    rig.wait(call)
    assert.same({ 0, 1, 0 }, spread())
    assert.equal("orders.v1.Orders", ffi.string(policy.service))
    assert.equal("Echo", ffi.string(policy.method))
    assert.equal("k1", ffi.string(policy.header))
    assert.equal("hello", ffi.string(policy.body))
    assert.equal(1, policy.attempt)
    assert.equal(3, tonumber(policy.open_count))
    assert.is_true(policy.deadline_ns > 0)
    assert.equal(backends[2].address, ffi.string(policy.address))
    assert.equal(1, policy.updates)
  end)

  it("asks without a body when none comes with the headers", function()
    start(1)
    local call = rig.open("Echo", nil, false)
    rig.until_true(function()
      return call.heads == 1
    end)
    assert.equal(0, tonumber(rig.ptr.policy.body_len))
    rig.write(call, "x")
    rig.finish(call)
    rig.wait(call)
  end)

  it("goes round when the balancer fails or answers nonsense", function()
    start(3)
    for _, pick in ipairs({ C.PERI_ESCRIPT, 77 }) do
      local before = spread()
      rig.ptr.policy.pick = pick
      for _ = 1, 6 do
        assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
      end
      local after = spread()
      for i = 1, 3 do
        assert.equal(before[i] + 2, after[i])
      end
    end
    assert.equal(0, rig.ptr.policy.dones)
  end)

  it("goes round until the balancer that did not take an update can pick", function()
    rig = M.rig()
    local _, address = rig.backend(0)
    local _, second = rig.backend(1)
    rig.ptr.policy.take = C.PERI_ESCRIPT
    rig.publish("orders.v1.Orders " .. address)
    assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
    assert.equal(0, rig.ptr.policy.picks)
    rig.ptr.policy.take = 0
    assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
    assert.equal(1, rig.ptr.policy.picks)
    rig.publish("orders.v1.Orders " .. address .. "," .. second)
    assert.equal(0, (rig.status(rig.fetch("Echo", nil, "x"))))
    assert.equal(2, rig.ptr.policy.picks)
  end)

  it("answers UNAVAILABLE when the balancer wants none", function()
    start(2)
    rig.ptr.policy.pick = C.PERI_ENOTFOUND
    local status, message = rig.status(rig.fetch("Echo", nil, "x"))
    assert.equal(14, status)
    assert.equal("orders.v1.Orders: the balancer wants none of 2 endpoints", message)
  end)

  it("offers only what was not tried", function()
    rig = M.rig()
    local a, b, c = rig.dead(), rig.dead(), rig.dead()
    rig.publish("orders.v1.Orders " .. table.concat({ a, b, c }, ","))
    rig.ptr.policy.pick = 0
    rig.fetch("Echo", nil, "x")
    assert.equal(3, rig.ptr.policy.picks)
    assert.equal(1, tonumber(rig.ptr.policy.open_count))
    local last = { a, b, c }
    table.sort(last)
    assert.equal(last[3], ffi.string(rig.ptr.policy.address))
  end)
end)
