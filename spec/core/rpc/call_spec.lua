local uv = require("luv")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local rpc = require("spec.support.rpc")
local C = cffi.load({ "base/clock.h", "base/error.h" })

describe("unary calls", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      groups = { g = { fallback = { "static_reply", value = ("v"):rep(100000) } } },
    }]])
  end)

  teardown(function()
    rpc.close_all()
    car:stop()
    sidecar.teardown()
  end)

  local open, call = rpc.open, rpc.call

  local check = "/grpc.health.v1.Health/Check"

  it("bring back the message", function()
    local channel = open(car.app)
    local code, status, bytes = call(channel, check, "", 5000)
    assert.same({ 0, 0, "\8\1" }, { code, status, bytes })
    -- The same connection serves further calls, and large answers.
    local _, got, value = call(channel, "/groupcachepb.GroupCache/Get", "\10\1g\18\1k", 5000)
    assert.equal(0, got)
    assert.equal(100000 + 4, #value)
  end)

  it("bring back status and words", function()
    local channel = open(car.app)
    local code, status, bytes, text = call(channel, "/no.Such/Method", "", 5000)
    assert.same({ 0, 12, "" }, { code, status, bytes })
    assert.truthy(text:find("/no.Such/Method", 1, true), text)
  end)

  it("resolve names", function()
    local _, status = call(open((car.app:gsub("127%.0%.0%.1", "localhost"))), check, "", 5000)
    assert.equal(0, status)
  end)

  it("say at once that nobody is there", function()
    local started = C.peri_clock_mono_ns()
    local code, status, _, text = call(open("127.0.0.1:" .. proc.free_port()), check, "", 20000)
    assert.same({ 0, 14 }, { code, status })
    assert.truthy(#text > 0)
    assert.truthy(tonumber(C.peri_clock_mono_ns() - started) < 10e9)
    local _, unix = call(open("unix:/no/such.sock"), check, "", 20000)
    assert.equal(14, unix)
  end)

  it("keep their deadline towards a peer that says nothing", function()
    local silent = uv.new_tcp()
    assert(silent:bind("127.0.0.1", 0))
    assert(silent:listen(8, function() end))
    local port = silent:getsockname().port
    local started = C.peri_clock_mono_ns()
    local _, status = call(open("127.0.0.1:" .. port), check, "", 300)
    local waited = tonumber(C.peri_clock_mono_ns() - started) / 1e6
    assert.equal(4, status)
    assert.truthy(waited >= 290 and waited < 5000 * proc.patience, waited)
    silent:close()
  end)
end)
