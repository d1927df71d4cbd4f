local uv = require("luv")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local C, ffi = cffi.load({ "rpc/call.h", "rpc/channel.h", "base/clock.h" })

describe("unary calls", function()
  local car, channels = nil, {}

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      groups = { g = { fallback = { "static_reply", value = ("v"):rep(100000) } } },
    }]])
  end)

  teardown(function()
    for _, channel in ipairs(channels) do
      C.peri_rpc_channel_free(channel)
    end
    car:stop()
    sidecar.teardown()
  end)

  local function open(target)
    local got, problem = ffi.new("struct peri_rpc_channel *[1]"), ffi.new("struct peri_problem")
    local code = C.peri_rpc_channel_new(ffi.new("struct peri_rpc_channel_options", { target = cffi.slice(target) }), got, problem)
    if code == 0 then
      channels[#channels + 1] = got[0]
    end
    return code == 0 and got[0] or nil, code, ffi.string(problem.text)
  end

  --- @return code, status, message, text
  local function call(channel, path, message, timeout_ms, metadata)
    local request = ffi.new("struct peri_rpc_request", { path = path, message = cffi.slice(message), timeout_ms = timeout_ms })
    local fields = ffi.new("struct peri_rpc_field[40]")
    for i, field in ipairs(metadata or {}) do
      fields[i - 1].name, fields[i - 1].value = cffi.slice(field[1]), cffi.slice(field[2])
    end
    request.metadata, request.metadata_count = fields, #(metadata or {})
    local result = ffi.new("struct peri_rpc_result")
    local code = C.peri_rpc_call(channel, request, result)
    local status, text = result.status, ffi.string(result.text)
    local bytes = result.message.len > 0 and ffi.string(result.message.ptr, result.message.len) or ""
    C.peri_rpc_result_done(result)
    return code, status, bytes, text
  end

  local check = "/grpc.health.v1.Health/Check"

  it("refuse a target that is no address", function()
    for _, target in ipairs({ "", "nowhere", "host:", ":1", "unix:", "127.0.0.1:99999" }) do
      local channel, code, words = open(target)
      assert.is_nil(channel)
      assert.equal(tonumber(C.PERI_EINVAL), code)
      assert.truthy(words:find("host:port", 1, true), words)
    end
  end)

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

  it("carry metadata, and refuse what is none", function()
    local channel = open(car.app)
    local code, status = call(channel, check, "", 5000, { { "x-note", "plain" }, { "x-note-bin", "\0\255" } })
    assert.same({ 0, 0 }, { code, status })
    for _, field in ipairs({ { "Upper", "x" }, { "with space", "x" }, { "x", "a\nb" }, { "", "x" } }) do
      assert.equal(tonumber(C.PERI_EINVAL), (call(channel, check, "", 5000, { field })), field[1])
    end
    local many = {}
    for i = 1, 33 do
      many[i] = { "x-" .. i, "v" }
    end
    assert.equal(tonumber(C.PERI_EINVAL), (call(channel, check, "", 5000, many)))
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

  it("leave nothing behind when there was no channel", function()
    C.peri_rpc_channel_free(nil)
  end)
end)
