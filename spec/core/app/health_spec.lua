local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the sidecar's own health", function()
  local car

  setup(function()
    sidecar.setup()
  end)

  before_each(function()
    car = sidecar.start('return { workers = 1, drain = "10s", listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, groups = { g = {} } }')
  end)

  after_each(function()
    proc.destroy_all()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function check(service)
    return sidecar.client({ "health", "-target", car.app, "-service", service })
  end

  local function watch(service)
    return proc.start(sidecar.client_binary, { "health", "-target", car.app, "-service", service, "-watch", "-timeout", "20s" })
  end

  it("is told for the sidecar and for its cache", function()
    assert.same({ status = "SERVING", code = "OK" }, check(""))
    assert.same({ status = "SERVING", code = "OK" }, check("groupcachepb.GroupCache"))
    assert.equal("NotFound", check("groupcachepb").code)
    car:stop()
  end)

  it("refuses what is no request", function()
    for _, method in ipairs({ "Check", "Watch" }) do
      assert.equal("InvalidArgument", car:call({ verb = "raw", path = "/grpc.health.v1.Health/" .. method, body = "/////w==" }).code)
    end
    car:stop()
  end)

  it("is watched until the sidecar goes, and no watch holds it back", function()
    local both, unknown = watch(""), watch("no.such")
    both:await_out('"SERVING"')
    unknown:await_out('"SERVICE_UNKNOWN"')
    car:stop(5000)
    both:await_out('"NOT_SERVING"')
    both:await_out('"Unavailable"')
    unknown:await_out('"Unavailable"')
    both:wait()
    unknown:wait()
  end)

  it("forgets watchers that leave", function()
    for _ = 1, 3 do
      local one = watch("")
      one:await_out('"SERVING"')
      one:kill("sigkill")
      one:wait()
    end
    car:stop(5000)
  end)
end)
