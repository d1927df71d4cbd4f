local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/policy.h", "base/json.h" })

describe("model/policy", function()
  local kept

  before_each(function()
    kept = {}
  end)

  local function ref(name, options)
    local made = ffi.new("struct peri_policy_ref", { name = name })
    if options then
      local json = ffi.new("struct peri_json *[1]")
      assert.equal(0, C.peri_json_parse(cffi.slice(options), json, nil))
      local owned = ffi.gc(json[0], C.peri_json_unref)
      made.options = owned
      kept[#kept + 1] = owned
    end
    return made
  end

  local function same(a, b)
    assert.equal(C.peri_policy_ref_same(a, b), C.peri_policy_ref_same(b, a))
    return C.peri_policy_ref_same(a, b)
  end

  it("tells whether two uses name the same policy with the same options", function()
    assert.is_true(same(ref(), ref()))
    assert.is_true(same(ref("a"), ref("a")))
    assert.is_true(same(ref("a", "{}"), ref("a")))
    assert.is_true(same(ref("a", '{"x":1,"y":[1,2]}'), ref("a", '{"y":[1,2],"x":1}')))
    assert.is_false(same(ref("a"), ref()))
    assert.is_false(same(ref("a"), ref("b")))
    assert.is_false(same(ref("a", '{"x":1}'), ref("a")))
    assert.is_false(same(ref("a", '{"x":1}'), ref("a", '{"x":2}')))
  end)

  it("says where the one is named that a problem is with", function()
    local problem, named = ffi.new("struct peri_problem"), ref("a")
    ffi.copy(problem.text, "no such policy")
    assert.equal(-7, C.peri_policy_ref_fail(named, -7, nil))
    assert.equal(-7, C.peri_policy_ref_fail(named, -7, problem))
    assert.equal("no such policy", ffi.string(problem.text))
    named.place = "groups.g.picker"
    assert.equal(-7, C.peri_policy_ref_fail(named, -7, problem))
    assert.equal("groups.g.picker: no such policy", ffi.string(problem.text))
    assert.equal(-7, problem.code)
  end)
end)
