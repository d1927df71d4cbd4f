local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/round_shim.h", "app/stage.h" })
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the stage of a worker that has ended", function()
  it("answers whatever it is asked", function()
    local shim = ffi.new("struct shim_round")
    C.shim_round_new(shim)
    local stages = ffi.new("struct peri_stage[3]")
    for i = 0, 2 do
      shim.places[i].place = stages + i
      C.peri_stage_end(stages + i)
    end
    for count, name in ipairs({ "prepare", "commit", "abort", "rollback", "list" }) do
      assert.equal(0, C.shim_round_ask(shim, nil, C["peri_stage_" .. name]))
      C.shim_round_run(shim)
      assert.equal(count, shim.done)
      assert.same({ C.PERI_ECLOSED, C.PERI_ECLOSED, C.PERI_ECLOSED }, { shim.codes[0], shim.codes[1], shim.codes[2] })
    end
    assert.is_true(C.shim_round_done(shim))
  end)
end)

describe("what workers prepare", function()
  local car, folder

  local function declare(kind, name, body)
    proc.write(
      ("%s/policies/%s/%s.lua"):format(folder, kind, name),
      ('local policy = require("perigee.policy")\nreturn policy.%s({ name = %q, schema = {}, %s })'):format(kind, name, body)
    )
  end

  local function config(groups)
    return ([[return {
      workers = 3,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      policies = { path = { "./policies" } },
      groups = { %s },
    }]]):format(groups)
  end

  local function value(text)
    return ('new = function() return {} end, fetch = function() return %q end'):format(text)
  end

  before_each(function()
    sidecar.setup()
    folder = sidecar.folder
    assert(os.execute("mkdir -p " .. folder .. "/policies/fallback"))
    declare("fallback", "a", value("a1"))
    declare("fallback", "b", value("b1"))
    car = sidecar.start(config('a = { fallback = "a" }, b = { fallback = "b" }'))
  end)

  after_each(function()
    car:stop()
    sidecar.teardown()
  end)

  local keys = 0

  local function get(group)
    keys = keys + 1
    return car:call({ group = group, key = "k" .. keys }).value
  end

  it("is switched to but for what could not be made", function()
    declare("fallback", "a", value("a2"))
    declare("fallback", "b", 'new = function() error("no b") end, fetch = function() end')
    car.process:await_err("fallback b: the edit is refused, version 1 stays: [^\n]*no b")
    for _ = 1, 6 do
      assert.equal("a2", get("a"))
      assert.equal("b1", get("b"))
    end
  end)

  it("is dropped with a configuration that lacks one policy", function()
    declare("fallback", "c", value("c1"))
    proc.write(car.file, config('a = { fallback = "b" }, c = { fallback = "c" }, d = { fallback = "none" }, e = { fallback = "nor" }'))
    car.process:await_err("the changed configuration is wrong, the old one stays: fallback no%a+: there is no")
    -- Told as well, but nobody edited it.
    car.process:await_err("ERROR app: fallback no%a+: there is no")
    car.process:await_err("changed: groups%.a%.fallback: ")
    assert.is_nil(car.process.err:find("edit is refused", 1, true), car.process.err)
    assert.equal(0, car:metric("perigee_policy_reloads_total", 'result="refused"'))
    assert.equal("a1", get("a"))
    assert.equal("NotFound", car:call({ group = "c", key = "k" }).code)
    proc.write(car.file, config('a = { fallback = "b" }, c = { fallback = "c" }'))
    car.process:await_err("took over the configuration: %d+ changes")
    assert.equal("b1", get("a"))
    assert.equal("c1", get("c"))
    assert.equal("NotFound", car:call({ group = "b", key = "k" }).code)
  end)
end)
