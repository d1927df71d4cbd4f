local cffi = require("spec.support.ffi")
local C = cffi.load({ "app/dispatch.h" })

local function choose(path, mesh)
  return tonumber(C.peri_dispatch_choose(cffi.slice(path), mesh or false))
end

describe("dispatch", function()
  it("knows the sidecar's own services by their exact paths", function()
    assert.equal(tonumber(C.PERI_DISPATCH_CACHE), choose("/groupcachepb.GroupCache/Get"))
    assert.equal(tonumber(C.PERI_DISPATCH_CACHE), choose("/groupcachepb.GroupCache/Get", true))
    assert.equal(tonumber(C.PERI_DISPATCH_HEALTH_CHECK), choose("/grpc.health.v1.Health/Check", true))
    assert.equal(tonumber(C.PERI_DISPATCH_HEALTH_WATCH), choose("/grpc.health.v1.Health/Watch"))
    assert.equal(tonumber(C.PERI_DISPATCH_PEERS), choose("/perigee.v1.Mesh/Peers"))
    assert.equal(tonumber(C.PERI_DISPATCH_STATS), choose("/perigee.v1.Mesh/Stats"))
    assert.equal(tonumber(C.PERI_DISPATCH_SERVICES), choose("/perigee.v1.Mesh/Services"))
    assert.equal(tonumber(C.PERI_DISPATCH_REGISTER), choose("/perigee.v1.Mesh/Register"))
    assert.equal(tonumber(C.PERI_DISPATCH_DEREGISTER), choose("/perigee.v1.Mesh/Deregister"))
    assert.equal(tonumber(C.PERI_DISPATCH_POLICIES), choose("/perigee.v1.Mesh/Policies"))
    assert.equal(tonumber(C.PERI_DISPATCH_RELOAD_POLICIES), choose("/perigee.v1.Mesh/ReloadPolicies"))
    assert.equal(tonumber(C.PERI_DISPATCH_ROLLBACK_POLICY), choose("/perigee.v1.Mesh/RollbackPolicy"))
    assert.equal(tonumber(C.PERI_DISPATCH_EXPLAIN), choose("/perigee.v1.Mesh/Explain"))
    for _, version in ipairs({ "v1", "v1alpha" }) do
      local path = ("/grpc.reflection.%s.ServerReflection/ServerReflectionInfo"):format(version)
      assert.equal(tonumber(C.PERI_DISPATCH_REFLECTION), choose(path))
      assert.equal(tonumber(C.PERI_DISPATCH_APP_ONLY), choose(path, true))
    end
  end)

  it("answers control calls on the app listener only", function()
    for _, method in ipairs({
      "Peers", "Stats", "Services", "Register", "Deregister", "Policies", "ReloadPolicies", "RollbackPolicy", "Explain",
    }) do
      assert.equal(tonumber(C.PERI_DISPATCH_APP_ONLY), choose("/perigee.v1.Mesh/" .. method, true))
    end
  end)

  it("leaves everything else to the proxy", function()
    for _, path in ipairs({
      "", "/", "/groupcachepb.GroupCache", "/groupcachepb.GroupCacheX/Get", "/perigee.v1.Mesh/Peers/", "/perigee.v1.Mesh/",
      "/Perigee.v1.Mesh/Peers", "/grpc.health.v1.Health/Check\0", "*",
    }) do
      assert.equal(tonumber(C.PERI_DISPATCH_PROXY), choose(path), path)
    end
  end)
end)
