local M = require("spec.core.registry.probe_support")
local proc = require("spec.support.proc")
local uv = require("luv")
local C = M.C

describe("no probe at all", function()
  it("finds everything healthy, once", function()
    local probe = M.probe(C.PERI_PROBE_NONE, "127.0.0.1:1")
    assert.same({ true, "" }, { probe.change() })
    C.peri_loop_step(probe.rig.loop, 50)
    assert.equal(1, probe.rig.changes)
    probe.free()
  end)
end)

describe("a probe", function()
  it("names what it cannot look at", function()
    for _, address in ipairs({ "", "nowhere", "127.0.0.1:0", "unix:", ("x"):rep(1000) }) do
      local probe, code, words = M.probe(C.PERI_PROBE_TCP, address)
      assert.is_nil(probe)
      assert.equal(C.PERI_EINVAL, code)
      assert.matches("HOST:PORT", words, 1, true)
    end
    assert.same({ nil, C.PERI_EINVAL, "no such health check" }, { M.probe(9, "127.0.0.1:1") })
    assert.equal(C.PERI_EINVAL, (select(2, M.probe(C.PERI_PROBE_GRPC, "127.0.0.1:1", { rpc = false }))))
    C.peri_probe_free(nil)
  end)

  it("may be freed before it looked", function()
    M.probe(C.PERI_PROBE_TCP, "127.0.0.1:1").free()
    M.probe(C.PERI_PROBE_GRPC, "127.0.0.1:1").free()
    M.probe(C.PERI_PROBE_NONE, "127.0.0.1:1").free()
  end)
end)

describe("a TCP probe", function()
  it("follows a server that comes and goes", function()
    local server = M.listen()
    local probe = M.probe(C.PERI_PROBE_TCP, server.address)
    assert.same({ true, "" }, { probe.change() })
    probe.await("second connection", function()
      return server.taken >= 2
    end)
    assert.equal(1, probe.rig.changes)
    server.close()
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("refused", why, 1, true)
    local again = M.listen(server.port)
    assert.is_true((probe.change()))
    probe.free()
    again.close()
  end)

  it("says at once that a connection is refused", function()
    local probe = M.probe(C.PERI_PROBE_TCP, "127.0.0.1:" .. proc.free_port(), { every_ms = 60000 })
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("refused", why, 1, true)
    probe.free()
  end)

  it("gives up on who never answers, after the second time", function()
    -- Nobody takes what fills the backlog, so that whoever comes then waits.
    local server, waiting = uv.new_tcp(), {}
    assert(server:bind("127.0.0.1", 0))
    assert(server:listen(0, function() end))
    local port = server:getsockname().port
    for i = 1, 4 do
      waiting[i] = uv.new_tcp()
      waiting[i]:connect("127.0.0.1", port, function() end)
    end
    local started = uv.hrtime()
    local probe = M.probe(C.PERI_PROBE_TCP, "127.0.0.1:" .. port, { timeout_ms = 100, every_ms = 20 })
    -- Only the probe's loop runs: luv would take the connections.
    while probe.rig.changes == 0 and uv.hrtime() - started < 10e9 do
      C.peri_loop_step(probe.rig.loop, 10)
    end
    assert.is_false(probe.rig.healthy)
    assert.matches("within 100 ms", M.ffi.string(probe.rig.why), 1, true)
    assert.is_true(uv.hrtime() - started > 200e6)
    probe.free()
    for _, tcp in ipairs(waiting) do
      tcp:close()
    end
    server:close()
    uv.run("nowait")
  end)

  it("may be freed by what it tells, and while it looks", function()
    local server = M.listen()
    local probe = M.probe(C.PERI_PROBE_TCP, server.address, { frees = true })
    assert.is_true((probe.change()))
    probe.free()
    probe = M.probe(C.PERI_PROBE_TCP, "127.0.0.1:" .. proc.free_port(), { frees = true })
    assert.is_false((probe.change()))
    probe.free()
    probe = M.probe(C.PERI_PROBE_TCP, server.address)
    C.peri_loop_step(probe.rig.loop, 0)
    probe.free()
    server.close()
  end)
end)

local SERVING, NOT_SERVING, UNKNOWN_SERVICE = "\8\1", "\8\2", "\8\3"

describe("a gRPC probe", function()
  local server, message, status
  before_each(function()
    message, status = SERVING, "0"
    server = M.health(function()
      return message, status
    end)
  end)
  after_each(function()
    server.close()
  end)

  it("follows what the server says", function()
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address, { service = "shop" })
    assert.same({ true, "" }, { probe.change() })
    assert.equal("\10\4shop", server.asked[1])
    message = NOT_SERVING
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("NOT_SERVING", why, 1, true)
    message = SERVING
    assert.is_true((probe.change()))
    message = UNKNOWN_SERVICE
    healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("SERVICE_UNKNOWN", why, 1, true)
    probe.free()
  end)

  it("asks for the whole server when no service is named", function()
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address)
    assert.is_true((probe.change()))
    assert.equal("", server.asked[1])
    probe.free()
  end)

  it("forgives a single failure, and not a second", function()
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address)
    assert.is_true((probe.change()))
    local count = #server.asked
    message, status = nil, "12"
    probe.await("failure", function()
      return #server.asked > count
    end)
    message, status = SERVING, "0"
    count = #server.asked
    probe.await("two successes", function()
      return #server.asked > count + 2
    end)
    assert.equal(1, probe.rig.changes)
    message, status = nil, "12"
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("UNIMPLEMENTED", why, 1, true)
    probe.free()
  end)

  it("does not fall over what is no answer", function()
    message = "\8"
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address)
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("cannot be read", why, 1, true)
    message = ""
    probe.await("an answer of nothing", function()
      return probe.rig.changes > 1 or #server.asked > 5
    end)
    assert.is_false(probe.rig.healthy)
    probe.free()
  end)

  it("gives up on a server that never answers", function()
    message, status = nil, nil
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address, { timeout_ms = 100 })
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("DEADLINE_EXCEEDED", why, 1, true)
    assert.equal(2, #server.asked)
    probe.free()
  end)

  it("says at once that a connection is refused, and comes back", function()
    server.close()
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address)
    local healthy, why = probe.change()
    assert.is_false(healthy)
    assert.matches("efused", why, 1, true)
    server = M.health(function()
      return message, status
    end, server.port)
    assert.is_true((probe.change()))
    probe.free()
  end)

  it("may be freed by what it tells, and while it waits", function()
    local probe = M.probe(C.PERI_PROBE_GRPC, server.address, { frees = true })
    assert.is_true((probe.change()))
    probe.free()
    message, status = nil, nil
    probe = M.probe(C.PERI_PROBE_GRPC, server.address, { timeout_ms = 60000 })
    local count = #server.asked
    probe.await("the question", function()
      return #server.asked > count
    end)
    probe.free()
  end)
end)
