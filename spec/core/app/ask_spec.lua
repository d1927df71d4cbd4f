local cffi = require("spec.support.ffi")
local support = require("spec.core.h2.call_support")
local configs = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "app/ask_shim.h", "model/config.h" })

local STATIC = "return { listen = { mesh = false }, registry = { kind = 'static', services = { orders = { { address = 'h:1' } } } } }"
-- A port of the discard protocol, where nobody answers.
local ETCD = "return { listen = { mesh = false }, registry = { kind = 'etcd', endpoints = 'http://127.0.0.1:9' } }"

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

  it("are answered while they wait when the registry is closed", function()
    open(ETCD)
    ask("REGISTER", message({ "orders", "127.0.0.1:9" }))
    assert.is_nil((support.status(run())))
    C.peri_ask_close(shim.ask)
    answered("UNAVAILABLE", "this sidecar is stopping")
  end)

  it("are answered when the registry gives up waiting", function()
    open(ETCD)
    ask("REGISTER", message({ "orders", "127.0.0.1:9" }))
    for _ = 1, 100 do
      if support.status(run(100)) then
        break
      end
    end
    local code, words = support.status(rig:log(id))
    assert.equal(tonumber(C.PERI_STATUS_UNAVAILABLE), code)
    assert.truthy(words and words ~= "", words)
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
