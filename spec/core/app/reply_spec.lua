local sidecar = require("spec.support.sidecar")

describe("replies", function()
  local car

  setup(function()
    sidecar.setup()
    car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = { g = {} } }')
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  local function raw(path, body)
    return car:call({ verb = "raw", path = path, body = body })
  end

  it("carry a message", function()
    local got = raw("/grpc.health.v1.Health/Check", "")
    assert.equal("OK", got.code)
    assert.equal("\8\1", got.value)
  end)

  it("carry an empty message", function()
    -- The prefix "x", with which no metric begins.
    local got = raw("/perigee.v1.Mesh/Stats", "CgF4")
    assert.equal("OK", got.code)
    assert.equal("", got.value)
  end)
end)
