local cffi = require("spec.support.ffi")
local support = require("spec.core.h2.call_support")
local configs = require("spec.core.model.config_support")
local etcds = require("spec.support.etcd")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "app/ask_shim.h", "model/config.h" })

local STATIC = "return { listen = { mesh = false }, registry = { kind = 'static', services = { orders = { { address = 'h:1' } } } } }"
--- A gRPC message of length-delimited fields.
local function message(fields)
  local bytes = ""
  for number, text in pairs(fields) do
    bytes = bytes .. string.char(number * 8 + 2, #text) .. text
  end
  return bytes
end

describe("questions to the registry", function()
  local rig, id, shim

  --- The rig holds one call, as a worker would.
  local function hold()
    rig = support.rig("HOLD")
    id = rig:open()
    rig:body(id, "\0\0\0\0\0", true)
    rig:run()
    assert.truthy(rig:held())
    shim = ffi.new("struct shim_ask")
    C.shim_ask_new(shim, rig.rig)
  end

  local function open(text)
    assert.equal(0, C.shim_ask_open(shim, configs.build(text)))
  end

  local function ask(kind, bytes)
    C.peri_ask_call(shim.ask, C["PERI_ASK_" .. kind], shim.worker, rig:held(), cffi.slice(bytes))
  end

  --- On a call of its own.
  local function ask_again(kind, bytes)
    id = rig:open()
    rig:body(id, "\0\0\0\0\0", true)
    rig:run()
    ask(kind, bytes)
  end

  local function run(ms)
    C.shim_ask_run(shim, ms or 0)
    return rig:log(id)
  end

  local function answered(status, words)
    local code, text = support.status(run())
    assert.equal(tonumber(C["PERI_STATUS_" .. status]), code)
    assert.equal(words, (text or ""):gsub("%%20", " "):match("^(.-)%s*end$") or text)
  end

  before_each(hold)

  after_each(function()
    assert.is_true(C.shim_ask_done(shim))
    rig:free()
  end)

  it("are refused before the registry is there", function()
    ask("SERVICES", "")
    answered("UNAVAILABLE", "this sidecar is starting")
  end)

  it("are refused once it is not asked any more", function()
    open(STATIC)
    C.peri_ask_close(shim.ask)
    ask("SERVICES", "")
    answered("UNAVAILABLE", "this sidecar is stopping")
  end)

  it("are refused once the control thread is gone", function()
    C.shim_ask_close_control(shim)
    ask("SERVICES", "")
    answered("UNAVAILABLE", "this sidecar is stopping")
  end)

  it("are refused when they are no messages", function()
    open(STATIC)
    ask("SERVICES", "\255")
    answered("INVALID_ARGUMENT", "the message is no ServicesRequest")
  end)

  it("tell the services", function()
    open(STATIC)
    ask("SERVICES", "")
    local log = run()
    assert.truthy(log:find("orders", 1, true) and log:find("static", 1, true), log)
    assert.equal(0, (support.status(log)))
  end)

  it("tell of one service only", function()
    open(STATIC)
    ask("SERVICES", message({ "none" }))
    local log = run()
    assert.is_nil(log:find("orders", 1, true), log)
    assert.equal(0, (support.status(log)))
  end)

  it("cannot register with a registry of kind static", function()
    open(STATIC)
    ask("REGISTER", message({ "orders", "127.0.0.1:1" }))
    local code = support.status(run())
    assert.equal(tonumber(C.PERI_STATUS_FAILED_PRECONDITION), code)
  end)

  it("cannot deregister there either", function()
    open(STATIC)
    ask("DEREGISTER", message({ "orders" }))
    local code = support.status(run())
    assert.equal(tonumber(C.PERI_STATUS_FAILED_PRECONDITION), code)
  end)

  it("are forgotten when the caller leaves", function()
    open(STATIC)
    ask("SERVICES", "")
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    assert.is_nil(run():find("orders", 1, true))
  end)

  it("are forgotten when the worker ends", function()
    open(STATIC)
    ask("SERVICES", "")
    C.shim_call_hang_up(rig.rig)
    rig:run()
    C.shim_ask_close_worker(shim)
    run()
  end)

  it("of other kinds are answered by whoever serves them", function()
    local served = ffi.new("struct shim_ask_served")
    ask("RELOAD", "")
    answered("UNAVAILABLE", "this sidecar is starting")
    served.keep = false
    C.shim_ask_serve(shim, served)
    ask_again("RELOAD", "request")
    local log = run()
    assert.equal("request", ffi.string(served.request))
    assert.truthy(log:find("served", 1, true), log)
    assert.equal(0, (support.status(log)))
  end)

  it("of other kinds may be answered later, or refused", function()
    local served = ffi.new("struct shim_ask_served")
    served.keep = true
    C.shim_ask_serve(shim, served)
    ask("RELOAD", "")
    assert.is_nil((support.status(run())))
    C.peri_question_refuse(served.question, C.PERI_ENOTFOUND, "there is none")
    answered("NOT_FOUND", "there is none")
  end)

  it("of other kinds are answered in vain when the caller has left", function()
    local served = ffi.new("struct shim_ask_served")
    served.keep = true
    C.shim_ask_serve(shim, served)
    ask("RELOAD", "")
    run()
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    C.peri_question_refuse(served.question, C.PERI_ELIMIT, nil)
    run()
  end)

  it("let somebody wish for a service", function()
    C.peri_ask_want(shim.ask, cffi.slice("orders"))
    run()
    open(STATIC)
    C.peri_ask_want(shim.ask, cffi.slice("orders"))
    run()
    C.shim_ask_close_control(shim)
    C.peri_ask_want(shim.ask, cffi.slice("orders"))
    ask("SERVICES", "")
    answered("UNAVAILABLE", "this sidecar is stopping")
  end)
end)

describe("registering with etcd", function()
  local etcd, rig, id, shim

  --- A call of its own for every question.
  local function ask(kind, bytes)
    id = rig:open()
    rig:body(id, "\0\0\0\0\0", true)
    rig:run()
    C.peri_ask_call(shim.ask, C["PERI_ASK_" .. kind], shim.worker, rig:held(), cffi.slice(bytes))
  end

  local function await(ready)
    for _ = 1, 500 do
      if ready() then
        return
      end
      C.shim_ask_run(shim, 20)
    end
    error("nothing came in 10 s")
  end

  local function status()
    await(function()
      return support.status(rig:log(id))
    end)
    return support.status(rig:log(id))
  end

  local orders = message({ "orders", "127.0.0.1:9", [4] = "none" })

  setup(function()
    etcd = etcds.start()
  end)

  teardown(function()
    etcds.stop_all()
  end)

  before_each(function()
    rig = support.rig("HOLD")
    rig:body(rig:open(), "\0\0\0\0\0", true)
    rig:run()
    shim = ffi.new("struct shim_ask")
    C.shim_ask_new(shim, rig.rig)
    C.peri_call_finish(rig:held(), 0, nil)
    local text = "return { node = { address = '127.0.0.1:7' }, registry = { kind = 'etcd', endpoints = '%s' } }"
    assert.equal(0, C.shim_ask_open(shim, configs.build(text:format(etcd.endpoints[1]))))
    await(function()
      return C.peri_registry_snapshot(shim.registry) ~= nil
    end)
    C.peri_registry_enter(shim.registry)
  end)

  after_each(function()
    etcd:thaw()
    assert.is_true(C.shim_ask_done(shim))
    rig:free()
  end)

  it("is answered once it is done", function()
    ask("REGISTER", orders)
    assert.equal(0, (status()))
    assert.truthy(etcd:read("orders/")["orders/127.0.0.1:7"])
    ask("DEREGISTER", message({ "orders" }))
    assert.equal(0, (status()))
    assert.is_nil(etcd:read("orders/")["orders/127.0.0.1:7"])
    ask("DEREGISTER", message({ "orders" }))
    assert.equal(tonumber(C.PERI_STATUS_NOT_FOUND), (status()))
  end)

  it("is refused when the registration makes no sense", function()
    ask("REGISTER", message({ "", "127.0.0.1:9" }))
    assert.equal(tonumber(C.PERI_STATUS_INVALID_ARGUMENT), (status()))
    ask("REGISTER", message({ "orders", "nowhere" }))
    assert.equal(tonumber(C.PERI_STATUS_INVALID_ARGUMENT), (status()))
  end)

  it("refuses to look for what is no service", function()
    ask("SERVICES", message({ "orders/" }))
    local code, words = status()
    assert.equal(tonumber(C.PERI_STATUS_INVALID_ARGUMENT), code)
    assert.truthy(words:find("edge", 1, true), words)
  end)

  it("is answered when the registry gives up waiting", function()
    etcd:freeze()
    ask("REGISTER", orders)
    local code, words = status()
    assert.equal(tonumber(C.PERI_STATUS_UNAVAILABLE), code)
    assert.truthy(words ~= "", words)
  end)

  it("is answered while it waits when the registry is closed", function()
    etcd:freeze()
    ask("REGISTER", orders)
    C.shim_ask_run(shim, 100)
    assert.is_nil((support.status(rig:log(id))))
    C.peri_ask_close(shim.ask)
    local code, words = status()
    assert.equal(tonumber(C.PERI_STATUS_UNAVAILABLE), code)
    assert.truthy(words:find("stopping", 1, true), words)
  end)

  it("goes on when the caller leaves", function()
    ask("REGISTER", orders)
    C.shim_call_reset(rig.rig, id, 8)
    rig:run()
    await(function()
      return etcd:read("orders/")["orders/127.0.0.1:7"]
    end)
  end)
end)

describe("an error of the registry", function()
  it("is told as a status", function()
    for error, status in pairs({
      EINVAL = "INVALID_ARGUMENT",
      ENOTFOUND = "NOT_FOUND",
      EUNSUPPORTED = "FAILED_PRECONDITION",
      ELIMIT = "RESOURCE_EXHAUSTED",
      ENOMEM = "RESOURCE_EXHAUSTED",
      ETIMEOUT = "UNAVAILABLE",
      ECLOSED = "UNAVAILABLE",
      EPERM = "PERMISSION_DENIED",
    }) do
      assert.equal(tonumber(C["PERI_STATUS_" .. status]), C.peri_ask_status(C["PERI_" .. error]), error)
    end
  end)
end)
