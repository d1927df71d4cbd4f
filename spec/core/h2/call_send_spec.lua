local cffi = require("spec.support.ffi")
local support = require("spec.core.h2.call_support")
local C, frames, status = support.C, support.frames, support.status

describe("h2/call_send", function()
  local rig

  after_each(function()
    rig:free()
  end)

  --- A call that the handler keeps.
  local function hold(mode, extra)
    rig = support.rig(mode or "HOLD")
    local _, id = rig:call(frames.message("x"), extra)
    return rig:held(), id
  end

  local function seen(id)
    rig:run()
    return rig:log(id)
  end

  it("sends an answer made of borrowed pieces and gives them back", function()
    local call, id = hold()
    C.shim_call_reply(rig.rig, call, cffi.slice("abc"), 3)
    assert.truthy(seen(id):find(frames.message("abcabcabc"), 1, true))
    assert.equal(3, C.shim_call_released(rig.rig))
  end)

  it("sends an answer of none and of many pieces", function()
    local call, id = hold()
    C.shim_call_reply(rig.rig, call, cffi.slice(""), 0)
    assert.truthy(seen(id):find("data \0\0\0\0\0\n", 1, true))
    assert.equal(0, (status(rig:log(id))))
    rig:free()
    call, id = hold()
    C.shim_call_reply(rig.rig, call, cffi.slice("abc"), 20)
    assert.truthy(seen(id):gsub("\ndata ", ""):find(("abc"):rep(20), 1, true))
    assert.equal(20, C.shim_call_released(rig.rig))
  end)

  it("sends only a status when there is no message", function()
    local call, id = hold()
    C.peri_call_finish(call, 5, "no such key")
    assert.equal(support.head .. " grpc-status=5 grpc-message=no such key end\nclose 0\n", seen(id))
    rig:free()
    call, id = hold()
    C.peri_call_finish(call, 0, "words that OK has no use for")
    assert.equal(support.head .. " grpc-status=0 end\nclose 0\n", seen(id))
    rig:free()
    call, id = hold()
    C.peri_call_finish(call, 14, nil)
    assert.equal(support.head .. " grpc-status=14 end\nclose 0\n", seen(id))
  end)

  it("encodes words with percents and keeps them short", function()
    local call, id = hold()
    C.peri_call_finish(call, 2, "50% of ünits\n")
    local _, words = status(seen(id))
    assert.equal("50%25 of %C3%BCnits%0A end", words)
    rig:free()
    call, id = hold()
    C.peri_call_finish(call, 2, ("ü"):rep(5000))
    _, words = status(seen(id))
    assert.is_true(#words < 2100)
    assert.truthy(words:find("^[%%C3B ]+ end$"))
  end)

  it("streams messages and then a status", function()
    local call, id = hold()
    assert.equal(0, C.shim_call_send(rig.rig, call, cffi.slice("one"), 1))
    assert.equal(support.head .. "\ndata " .. frames.message("one") .. "\n", seen(id))
    assert.equal(0, C.shim_call_send(rig.rig, call, cffi.slice("two"), 1))
    C.peri_call_finish(call, 14, "stopping")
    local log = seen(id)
    assert.truthy(log:find("data " .. frames.message("two") .. "\nheaders grpc-status=14 grpc-message=stopping end\nclose 0\n", 1, true), log)
    assert.equal(2, C.shim_call_released(rig.rig))
  end)

  it("tells a streaming handler that its reader is slow", function()
    local call = hold()
    local rc = 0
    local sent = 0
    while rc == 0 and sent < 1000 do
      rc = C.shim_call_send(rig.rig, call, cffi.slice(("x"):rep(10000)), 1)
      sent = sent + 1
    end
    assert.equal(C.PERI_EBUSY, rc)
    assert.is_true(sent * 10005 >= 256 * 1024)
    C.peri_call_finish(call, 0, nil)
    rig:run(20)
    assert.equal(sent, C.shim_call_released(rig.rig))
  end)

  it("gives borrowed pieces back when the caller leaves before they are sent", function()
    local call, id = hold("WATCH")
    for _ = 1, 20 do
      C.shim_call_send(rig.rig, call, cffi.slice(("x"):rep(10000)), 1)
    end
    C.shim_call_reset(rig.rig, id, 8)
    rig:run(20)
    assert.equal(20, C.shim_call_released(rig.rig))
    assert.equal(C.PERI_ECANCELED, C.shim_call_canceled(rig.rig))
  end)

  it("sends fields of the handler's behind the status", function()
    local call, id = hold()
    assert.equal(0, C.peri_call_add_trailer(call, "x-why", cffi.slice("one")))
    assert.equal(0, C.peri_call_add_trailer(call, "x-why", cffi.slice("two")))
    C.shim_call_reply(rig.rig, call, cffi.slice("abc"), 1)
    assert.truthy(seen(id):find("\nheaders grpc-status=0 x-why=one x-why=two end\n", 1, true), rig:log(id))
    rig:free()
    call, id = hold()
    assert.equal(0, C.peri_call_add_trailer(call, "x-why", cffi.slice("one")))
    C.peri_call_finish(call, 5, "none")
    assert.truthy(seen(id):find(" grpc-status=5 grpc-message=none x-why=one end\n", 1, true), rig:log(id))
    rig:free()
    call, id = hold()
    C.shim_call_send(rig.rig, call, cffi.slice("abc"), 1)
    assert.equal(0, C.peri_call_add_trailer(call, "x-why", cffi.slice("one")))
    C.peri_call_finish(call, 14, "late")
    assert.truthy(seen(id):find("\nheaders grpc-status=14 grpc-message=late x-why=one end\n", 1, true), rig:log(id))
  end)

  it("refuses such fields that are none, or too many", function()
    local call = hold()
    local one = cffi.slice("1")
    for _, name in ipairs({ "", ":status", "X-Upper", "a b", "a\r\nb" }) do
      assert.equal(C.PERI_EINVAL, C.peri_call_add_trailer(call, name, one), name)
    end
    assert.equal(C.PERI_EINVAL, C.peri_call_add_trailer(call, "x", cffi.slice("a\r\nb: c")))
    for _ = 1, 24 do
      assert.equal(0, C.peri_call_add_trailer(call, "x", one))
    end
    assert.equal(C.PERI_ELIMIT, C.peri_call_add_trailer(call, "x", one))
    C.peri_call_finish(call, 0, nil)
  end)

  it("refuses a stream with more than a status", function()
    rig = support.rig("REFUSE_MORE")
    local log = rig:call(frames.message("x"))
    assert.truthy(log:find(" grpc-status=5 grpc-message=no such thing x-why=one x-why=two end\n", 1, true), log)
  end)

  it("refuses a stream whatever its method and type", function()
    rig = support.rig("REFUSE")
    for _, extra in ipairs({ {}, { [":method"] = "GET" }, { ["content-type"] = "text/plain" }, { ["content-type"] = false } }) do
      local log = rig:call(frames.message("x"), extra)
      local code, words = status(log)
      assert.equal(5, code)
      assert.equal("no such thing end", words)
      assert.truthy(log:find("close 0\n", 1, true))
    end
    local id = rig:open()
    assert.equal(5, (status(seen(id))))
    assert.truthy(rig:log(id):find("close 0\n", 1, true))
  end)
end)
