local cffi = require("spec.support.ffi")
local support = require("spec.core.registry.registry_support")
local C, ffi = cffi.load({ "registry/registry_shim.h", "registry/registry.h" })

describe("the status of a registry", function()
  it("outlives what it was taken of", function()
    local registry = support.start({
      cluster = "cluster-name",
      listen = { mesh = "127.0.0.1:7402" },
      registry = { kind = "static", services = { ["cluster-name"] = { { address = "10.0.0.1:1" } } } },
    })
    local got = ffi.new("struct peri_registry_status *[1]")
    assert.equal(0, C.peri_registry_status(C.registry_rig_registry(registry.rig), got))
    assert.is_true(registry:free())
    assert.equal("static", ffi.string(got[0].kind))
    assert.equal("", ffi.string(got[0].reason))
    assert.equal(1, tonumber(got[0].service_count))
    assert.equal("cluster-name", ffi.string(got[0].services[0].name))
    C.peri_registry_status_unref(got[0])
    C.peri_registry_status_unref(nil)
  end)
end)
