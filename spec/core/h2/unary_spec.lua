local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "h2/framing_shim.h", "h2/unary_shim.h" })

local grpc = ":status: 200\ncontent-type: application/grpc"

describe("h2/unary", function()
  local rig, keep

  before_each(function()
    rig = C.shim_unary_rig_new()
    keep = {}
  end)

  after_each(function()
    C.shim_unary_rig_free(rig)
  end)

  local function start(path, options)
    local plan = ffi.new("struct shim_unary_plan")
    local function borrow(text)
      keep[#keep + 1] = text
      return text
    end
    options = options or {}
    plan.path = borrow(path)
    plan.fields = borrow(options.fields or "")
    plan.body = cffi.slice(borrow(options.body or ""))
    plan.h2_error = options.h2_error or 0
    plan.message = cffi.slice(borrow(options.message or "hello"))
    plan.timeout_ms = options.timeout_ms or 0
    plan.message_bytes = options.message_bytes or 0
    plan.metadata = borrow(options.metadata or "")
    plan.address = options.address and borrow(options.address) or nil
    return C.shim_unary_start(rig, plan)
  end

  local function finish(ms)
    local outcome = C.shim_unary_wait(rig, ms or 2000)
    return outcome, cffi.string(C.shim_unary_text(rig))
  end

  --- A whole call that must end once.
  local function call(path, options)
    assert.equal(0, start(path, options))
    local outcome, text = finish()
    assert.equal(1, outcome.count)
    return outcome, text
  end

  local function pack(text)
    local out = ffi.new("struct peri_buffer")
    assert.equal(0, C.shim_framing_deflate(cffi.slice(text), true, out))
    local bytes = cffi.string(C.peri_buffer_slice(out))
    C.peri_buffer_done(out)
    return bytes
  end

  it("sends one message and gives the one that answers", function()
    local outcome, text = call("/echo")
    assert.equal(0, outcome.status)
    assert.equal(0, outcome.code)
    assert.equal("hello", cffi.string(C.shim_unary_message(rig)))
    assert.equal("", text)
    assert.equal(frames.message("hello"), cffi.string(C.shim_unary_body(rig)))
    local request = cffi.string(C.shim_unary_request(rig))
    assert.truthy(request:find("^:method: POST\n:scheme: http\n:authority: 127%.0%.0%.1:%d+\n:path: /echo\nte: trailers\ncontent%-type: application/grpc\nuser%-agent: perigee/[^\n]+\ngrpc%-accept%-encoding: identity,deflate,gzip\n$"), request)
  end)

  it("sends empty and large messages", function()
    for _, size in ipairs({ 0, 1, 300, 3 * 1024 * 1024 }) do
      local text = ("x"):rep(size)
      assert.equal(0, call("/echo", { message = text }).status)
      assert.equal(size, tonumber(C.shim_unary_message(rig).len))
    end
  end)

  it("sends metadata and its deadline", function()
    call("/echo", { metadata = "perigee-hop: 1\nperigee-service: GroupCache", timeout_ms = 1500 })
    local request = cffi.string(C.shim_unary_request(rig))
    assert.truthy(request:find("grpc-timeout: 1500000u\n", 1, true), request)
    assert.truthy(request:find("perigee-hop: 1\nperigee-service: GroupCache\n", 1, true), request)
  end)

  it("refuses more metadata than it carries, and addresses that are none", function()
    assert.equal(C.PERI_EINVAL, start("/echo", { metadata = ("a: b\n"):rep(24) }))
    assert.equal(C.PERI_EINVAL, start("/echo", { address = "nowhere" }))
    assert.equal(0, finish(0).count)
  end)

  it("tells the status and the decoded words of the peer", function()
    local outcome, text = call("/trailers", { fields = grpc .. "\ngrpc-status: 5\ngrpc-message: 50%25 of %C3%BCnits" })
    assert.equal(5, outcome.status)
    assert.equal(0, outcome.code)
    assert.equal("50% of ünits", text)
    outcome, text = call("/body", { fields = "grpc-status: 8\ngrpc-message: full", body = frames.message("ignored") })
    assert.equal(8, outcome.status)
    assert.equal("full", text)
    assert.equal("", cffi.string(C.shim_unary_message(rig)))
    assert.equal(2, call("/trailers", { fields = grpc .. "\ngrpc-status: 99" }).status)
    assert.equal(2, call("/trailers", { fields = grpc .. "\ngrpc-status: x" }).status)
  end)

  it("takes a status with headers that are no gRPC otherwise", function()
    assert.equal(16, call("/trailers", { fields = ":status: 401\ngrpc-status: 16" }).status)
  end)

  it("maps what is no gRPC answer", function()
    for http, status in pairs({ [400] = 13, [401] = 16, [403] = 7, [404] = 12, [429] = 14, [503] = 14, [500] = 2 }) do
      local outcome, text = call("/trailers", { fields = ":status: " .. http })
      assert.equal(status, outcome.status)
      assert.equal(C.PERI_EPROTO, outcome.code)
      assert.equal("the peer answered HTTP " .. http, text)
    end
    assert.equal(2, call("/trailers", { fields = ":status: 200\ncontent-type: text/html" }).status)
    assert.equal(13, call("/trailers", { fields = grpc }).status)
  end)

  it("maps resets", function()
    for h2_error, status in pairs({ [0] = 13, [1] = 13, [2] = 13, [7] = 14, [8] = 1, [11] = 8, [12] = 7 }) do
      local outcome = call("/reset", { h2_error = h2_error })
      assert.equal(status, outcome.status, "error " .. h2_error)
      assert.is_true(outcome.code < 0)
      assert.equal(h2_error == 7, outcome.unprocessed)
    end
  end)

  it("wants exactly one whole message with OK", function()
    local ok = "grpc-status: 0"
    local hello = frames.message("hello")
    assert.equal(12, call("/body", { fields = ok }).status)
    assert.equal(12, call("/trailers", { fields = grpc .. "\ngrpc-status: 0" }).status)
    assert.equal(12, call("/body", { fields = ok, body = hello .. hello }).status)
    assert.equal(13, call("/body", { fields = ok, body = hello:sub(1, -2) }).status)
    assert.equal(13, call("/body", { fields = ok, body = "\9" }).status)
    assert.equal(13, call("/bare", { body = hello }).status)
    assert.equal(0, call("/body", { fields = ok, body = hello }).status)
  end)

  it("limits what it takes", function()
    local ok = "grpc-status: 0"
    local outcome, text = call("/body", { fields = ok, body = frames.message(("x"):rep(101)), message_bytes = 100 })
    assert.equal(8, outcome.status)
    assert.equal(C.PERI_ELIMIT, outcome.code)
    assert.truthy(text:find("100 bytes", 1, true))
    assert.equal(8, call("/body", { fields = ok, body = frames.message(pack(("x"):rep(101)), 1), message_bytes = 100 }).status)
    assert.equal(0, call("/body", { fields = ok, body = frames.message(pack(("x"):rep(100)), 1), message_bytes = 100 }).status)
    assert.equal(("x"):rep(100), cffi.string(C.shim_unary_message(rig)))
  end)

  it("ends when its time is over, and takes the stream back", function()
    local outcome = call("/hold", { timeout_ms = 30 })
    assert.equal(4, outcome.status)
    assert.equal(C.PERI_ETIMEOUT, outcome.code)
    assert.equal(8, C.shim_unary_server_end(rig))
    assert.equal(4, call("/half", { timeout_ms = 30, body = frames.message("hello"):sub(1, 7) }).status)
    assert.equal(0, call("/echo", { timeout_ms = 1000 }).status)
  end)

  it("takes an answer that comes before the request has left", function()
    local outcome, text = call("/early", { fields = grpc .. "\ngrpc-status: 8\ngrpc-message: enough", message = ("x"):rep(5000000) })
    assert.equal(8, outcome.status)
    assert.equal("enough", text)
    assert.equal(0, call("/echo").status)
  end)

  it("says nothing any more after it was given up", function()
    assert.equal(0, start("/hold", { timeout_ms = 1000 }))
    C.shim_unary_cancel(rig)
    assert.equal(0, finish(20).count)
    assert.equal(0, start("/hold", { timeout_ms = 1000 }))
    assert.equal(0, finish(50).count)
    C.shim_unary_cancel(rig)
    assert.equal(0, finish(20).count)
    assert.equal(8, C.shim_unary_server_end(rig))
  end)

  it("fails when there is no peer, from the loop", function()
    C.shim_unary_stop_server(rig)
    for _ = 1, 2 do
      local outcome, text = call("/echo")
      assert.equal(14, outcome.status)
      assert.is_true(outcome.code < 0)
      assert.is_true(outcome.unprocessed)
      assert.is_true(#text > 0)
    end
  end)

  it("fails when the peer goes away meanwhile", function()
    assert.equal(0, start("/hold", { timeout_ms = 5000 }))
    assert.equal(0, finish(50).count)
    C.shim_unary_stop_server(rig)
    local outcome = finish()
    assert.equal(1, outcome.count)
    assert.equal(14, outcome.status)
    assert.is_false(outcome.unprocessed)
  end)

  it("fails when the client is freed under it", function()
    start("/hold", { timeout_ms = 5000 })
    finish(50)
  end)
end)
