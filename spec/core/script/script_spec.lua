local s = require("spec.core.script.support")
local C, ffi = s.C, s.ffi

describe("a script", function()
  after_each(s.clean)

  it("is made and freed without policies", function()
    local script = s.script({})
    assert.is_true(C.peri_script_host(script.shim.script) ~= nil)
    script:close()
    C.peri_script_free(nil)
  end)

  it("works without a configuration, metrics and folders", function()
    local options, box = ffi.new("struct peri_script_options"), ffi.new("struct peri_script *[1]")
    local problem = ffi.new("struct peri_problem")
    assert.equal(0, C.peri_script_new(options, box, problem))
    local host = C.peri_script_host(box[0])
    local ref, picker = ffi.new("struct peri_policy_ref"), ffi.new("struct peri_picker *[1]")
    ref.name = "none"
    assert.equal(s.ENOTFOUND, host.picker(host, ref, picker, problem))
    C.peri_script_free(box[0])
  end)

  it("keeps policies apart", function()
    local script = s.script({
      ["fallback/a.lua"] = "shared = 'a' return require('perigee.policy').fallback({ name = 'a', fetch = function() return shared end })",
      ["fallback/b.lua"] = "return require('perigee.policy').fallback({ name = 'b', fetch = function() return tostring(shared) end })",
    })
    local a, b = assert(script:fallback("a")), assert(script:fallback("b"))
    assert.same({ "a", "nil" }, { script:fetch(a).value, script:fetch(b).value })
    script:close()
  end)
end)
