local cffi = require("spec.support.ffi")
local support = require("spec.core.h2.call_support")
local C, ffi, frames, status = support.C, support.ffi, support.frames, support.status

describe("h2/call", function()
  local rig

  local function use(...)
    rig = support.rig(...)
    return rig
  end

  after_each(function()
    if rig then
      rig:free()
      rig = nil
    end
  end)

  it("hands over the message and sends the whole unary answer", function()
    local log = use():call(frames.message("hello"))
    assert.equal("hello;", rig:messages())
    assert.equal(support.head .. "\ndata " .. frames.message("hello") .. "\nheaders grpc-status=0 end\nclose 0\n", log)
  end)

  it("serves calls on one connection, one after the other and at once", function()
    use()
    local ids = {}
    for i = 1, 20 do
      ids[i] = rig:open()
      rig:body(ids[i], frames.message("m" .. i), true)
    end
    rig:run()
    for i, id in ipairs(ids) do
      assert.truthy(rig:log(id):find(frames.message("m" .. i), 1, true))
      assert.equal(0, (status(rig:log(id))))
    end
  end)

  it("takes the message in pieces of any size, and empty or large ones", function()
    use()
    local bytes = frames.message("hello")
    for at = 1, #bytes - 1 do
      local id = rig:open()
      rig:body(id, bytes:sub(1, at))
      rig:run()
      assert.equal("", rig:log(id))
      rig:body(id, bytes:sub(at + 1), true)
      rig:run()
      assert.equal(0, (status(rig:log(id))))
    end
    assert.equal(("hello;"):rep(#bytes - 1), rig:messages())
    assert.equal(0, (status((rig:call(frames.message(""))))))
    for _, size in ipairs({ 256, 257, 70000 }) do
      local text = ("x"):rep(size)
      local log = rig:call(frames.message(text))
      assert.equal(0, (status(log)))
      assert.equal(size, select(2, log:gsub("x", "")) - 0)
    end
  end)

  it("waits for the end of the request", function()
    use()
    local id = rig:open()
    rig:body(id, frames.message("hello"))
    rig:run()
    assert.equal("", rig:messages())
    rig:body(id, "", true)
    rig:run()
    assert.equal("hello;", rig:messages())
  end)

  it("answers with the subtype that was asked with", function()
    use()
    for asked, answered in pairs({
      ["application/grpc"] = "application/grpc",
      ["application/grpc+proto"] = "application/grpc+proto",
      ["application/grpc;charset=utf-8"] = "application/grpc",
    }) do
      local log = rig:call(frames.message("x"), { ["content-type"] = asked })
      assert.equal(answered, log:match("content%-type=(%S+)"))
      assert.equal(0, (status(log)))
    end
  end)

  it("refuses other methods with 405 and other content-types with 415", function()
    use()
    local log = rig:call("", { [":method"] = "GET" })
    assert.truthy(log:find("headers :status=405 allow=POST end", 1, true), log)
    for _, kind in ipairs({ "application/json", "application/grpcx", "text/plain", false }) do
      log = rig:call(frames.message("x"), { ["content-type"] = kind })
      assert.truthy(log:find("headers :status=415 accept=application/grpc end", 1, true), log)
    end
    assert.equal("", rig:messages())
  end)

  it("undoes gzip and deflate, and announces them", function()
    use()
    for encoding, gzip in pairs({ gzip = true, deflate = false }) do
      local packed = ffi.new("struct peri_buffer")
      assert.equal(0, C.shim_framing_deflate(cffi.slice(("hello "):rep(100)), gzip, packed))
      local bytes = cffi.string(C.peri_buffer_slice(packed))
      C.peri_buffer_done(packed)
      local log = rig:call(frames.message(bytes, 1), { ["grpc-encoding"] = encoding })
      assert.equal(0, (status(log)))
      assert.truthy(log:find(("hello "):rep(100), 1, true))
      -- An encoding that is announced need not be used.
      assert.equal(0, (status((rig:call(frames.message("plain"), { ["grpc-encoding"] = encoding })))))
    end
    assert.equal(0, (status((rig:call(frames.message("plain"), { ["grpc-encoding"] = "identity" })))))
  end)

  it("refuses unknown encodings and says which are known", function()
    use()
    for _, encoding in ipairs({ "snappy", "GZIP", "gzip,deflate" }) do
      local log = rig:call(frames.message("x"), { ["grpc-encoding"] = encoding })
      assert.equal(12, (status(log)))
      assert.truthy(log:find("grpc-accept-encoding=identity,deflate,gzip", 1, true))
    end
    assert.equal("", rig:messages())
  end)

  it("answers every broken request itself", function()
    use("ECHO", 1000)
    local message = frames.message("hello")
    local cases = {
      { 13, message:sub(1, -2), "ended within a message" },
      { 13, message:sub(1, 3), "ended within a message" },
      { 12, "", "no message" },
      { 12, message .. message, "more than one message" },
      { 12, message .. "\0", "more than one message" },
      { 13, frames.message("hello", 1), "compressed" },
      { 13, frames.message("hello", 7), "flag" },
      { 8, frames.message(("x"):rep(1001)), "larger than the 1000 bytes" },
      { 8, "\0\255\255\255\255", "larger than the 1000 bytes" },
      { 13, frames.message("garbage", 1), "damaged", { ["grpc-encoding"] = "gzip" } },
      { 13, frames.message("", 1), "damaged", { ["grpc-encoding"] = "gzip" } },
      { 13, message, "grpc-timeout", { ["grpc-timeout"] = "1s" } },
      { 13, message, "grpc-timeout", { ["grpc-timeout"] = "" } },
    }
    for _, case in ipairs(cases) do
      local log = rig:call(case[2], case[4])
      local code, words = status(log)
      assert.equal(case[1], code, log)
      assert.truthy(words:find(case[3], 1, true), words)
      assert.truthy(log:find("^headers :status=200[^\n]* end\n"), log)
      assert.truthy(log:find("close 0\n", 1, true), log)
    end
    assert.equal("", rig:messages())
    assert.equal(0, (status((rig:call(message)))))
  end)

  it("stops a compressed bomb at the limit", function()
    use("ECHO", 100000)
    local packed = ffi.new("struct peri_buffer")
    assert.equal(0, C.shim_framing_deflate(cffi.slice(("\0"):rep(10000000)), true, packed))
    local bytes = cffi.string(C.peri_buffer_slice(packed))
    C.peri_buffer_done(packed)
    assert.equal(8, (status((rig:call(frames.message(bytes, 1), { ["grpc-encoding"] = "gzip" })))))
  end)

  it("answers an error while the body still comes, and the stream is gone", function()
    use("ECHO", 1000)
    local id = rig:open()
    rig:body(id, "\0\0\1\0\0" .. ("x"):rep(3000))
    rig:run()
    assert.equal(8, (status(rig:log(id))))
    assert.truthy(rig:log(id):find("close 0\n", 1, true))
    local window = C.shim_call_window(rig.rig)
    for _ = 1, 400 do
      id = rig:open()
      rig:body(id, "\0\0\1\0\0" .. ("x"):rep(10000))
      rig:run()
      assert.equal(8, (status(rig:log(id))))
    end
    assert.is_true(C.shim_call_window(rig.rig) > window / 4)
  end)

  it("reopens windows as bytes come", function()
    use("ECHO", 8 * 1024 * 1024)
    local log = rig:call(frames.message(("x"):rep(5 * 1024 * 1024)), nil, 50)
    assert.equal(0, (status(log)))
  end)

  it("tells path and headers", function()
    use("HOLD")
    rig:call(frames.message("x"), { ["x-one"] = "1", ["grpc-timeout"] = "10S" })
    local call = rig:held()
    local value = ffi.new("struct peri_slice")
    assert.equal("/a.B/C", cffi.string(C.peri_call_path(call)))
    assert.is_true(C.peri_call_header(call, "x-one", value))
    assert.equal("1", cffi.string(value))
    assert.is_false(C.peri_call_header(call, "x-two", value))
    C.peri_call_finish(call, 0, nil)
    rig:run()
    local _, id = rig:call(frames.message("y"))
    C.peri_call_finish(rig:held(), 5, "no")
    rig:run()
    assert.equal(5, (status(rig:log(id))))
  end)

  it("ends a call whose deadline passes, and tells the handler once", function()
    use("WATCH")
    local log = rig:call(frames.message("x"), { ["grpc-timeout"] = "20m" }, 100)
    assert.equal(4, (status(log)))
    assert.equal(C.PERI_ETIMEOUT, C.shim_call_canceled(rig.rig))
    assert.is_nil(rig:held())
    assert.truthy(log:find("close 0\n", 1, true))
  end)

  it("ends it too for a handler that does not ask, whose late answer goes nowhere", function()
    use("HOLD")
    local log, id = rig:call(frames.message("x"), { ["grpc-timeout"] = "20m" }, 100)
    assert.equal(4, (status(log)))
    C.shim_call_reply(rig.rig, rig:held(), cffi.slice("late"), 2)
    assert.equal(2, C.shim_call_released(rig.rig))
    rig:run()
    assert.equal(log, rig:log(id))
  end)

  it("ends it while the request still comes", function()
    use()
    local id = rig:open({ ["grpc-timeout"] = "20m" })
    rig:body(id, frames.message("hello"):sub(1, 7))
    rig:run(100)
    assert.equal(4, (status(rig:log(id))))
    id = rig:open({ ["grpc-timeout"] = "0n" })
    rig:run(20)
    assert.equal(4, (status(rig:log(id))))
    assert.equal("", rig:messages())
  end)

  it("needs no timer for what is answered at once", function()
    use()
    for _ = 1, 5 do
      assert.equal(0, (status((rig:call(frames.message("x"), { ["grpc-timeout"] = "0n" })))))
    end
  end)

  it("tells the handler once when the caller leaves", function()
    for _, how in ipairs({ "reset", "hang up" }) do
      use("WATCH")
      local _, id = rig:call(frames.message("x"), { ["grpc-timeout"] = "10S" })
      assert.is_not_nil(rig:held())
      if how == "reset" then
        C.shim_call_reset(rig.rig, id, 8)
      else
        C.shim_call_hang_up(rig.rig)
      end
      rig:run(20)
      assert.equal(C.PERI_ECANCELED, C.shim_call_canceled(rig.rig), how)
      rig:free()
    end
    rig = nil
  end)

  it("waits for a handler that does not ask after the caller has left", function()
    use("HOLD")
    local _, id = rig:call(frames.message("x"))
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    local call = rig:held()
    assert.equal(C.PERI_ECLOSED, C.shim_call_send(rig.rig, call, cffi.slice("gone"), 1))
    assert.equal(1, C.shim_call_released(rig.rig))
    assert.equal("", cffi.string(C.peri_call_path(call)))
    assert.equal(C.PERI_ECLOSED, C.peri_call_add_trailer(call, "a", cffi.slice("b")))
    C.peri_call_finish(call, 0, nil)
  end)

  it("lets a caller leave while its request still comes", function()
    use()
    local id = rig:open({ ["grpc-timeout"] = "10S" })
    rig:body(id, frames.message(("x"):rep(5000)):sub(1, 3000))
    rig:run()
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    assert.equal("", rig:messages())
    assert.equal(0, (status((rig:call(frames.message("next"))))))
  end)

  it("survives its server while calls are held", function()
    use("WATCH")
    rig:call(frames.message("x"), { ["grpc-timeout"] = "10S" })
    rig:open()
    rig:run()
    rig:free()
    rig = nil
  end)

  it("knows whether the caller asks why, and what it takes for an answer", function()
    for value, asks in pairs({ ["1"] = true, ["yes"] = true, ["0"] = false, [false] = false }) do
      use("HOLD"):call(frames.message("x"), { ["perigee-explain"] = value or nil })
      assert.equal(asks, C.peri_call_asks_why(rig:held()))
      assert.equal(2 ^ 32 - 1, tonumber(C.peri_call_list_bytes(rig:held())))
      C.peri_call_finish(rig:held(), 0, nil)
      rig:free()
    end
    local _, id = use("HOLD"):call(frames.message("x"))
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    assert.equal(0, tonumber(C.peri_call_list_bytes(rig:held())))
    C.peri_call_finish(rig:held(), 0, nil)
  end)
end)
