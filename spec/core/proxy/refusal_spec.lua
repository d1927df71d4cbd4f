local M = require("spec.core.proxy.rig")

describe("proxy/refusal", function()
  local rig
  after_each(function()
    rig.free()
  end)

  it("answers what is no gRPC call with an HTTP status", function()
    rig = M.rig({ without_want = true })
    rig.publish("a ")
    local get = rig.fetch("Echo", { { ":method", "GET" } })
    assert.equal(":status: 405\nallow: POST\n", rig.head(get))
    for _, kind in ipairs({ "text/html", "application/grpcx", "application/grp", "application/json" }) do
      local call = rig.fetch("Echo", { { "content-type", kind } })
      assert.equal(":status: 415\naccept: application/grpc\n", rig.head(call))
    end
    for _, kind in ipairs({ "application/grpc", "application/grpc+json", "application/grpc;x=1" }) do
      assert.equal(12, (rig.status(rig.fetch("Echo", { { "content-type", kind } }))))
    end
  end)

  it("refuses a deadline that is none", function()
    rig = M.rig()
    for _, odd in ipairs({ "1", "S", "123456789S", "1x", "-1S" }) do
      local status, message = rig.status(rig.fetch("Echo", { { "grpc-timeout", odd } }, "x"))
      assert.equal(13, status)
      assert.equal("grpc-timeout is malformed", message)
    end
  end)

  it("keeps the subtype of a call that it refuses", function()
    rig = M.rig({ without_want = true })
    rig.publish("a ")
    local call = rig.fetch("Echo", { { "content-type", "application/grpc+json" } }, "x")
    assert.equal("application/grpc+json", M.value(rig.head(call), "content-type"))
    assert.is_true(call.head_end)
  end)
end)
