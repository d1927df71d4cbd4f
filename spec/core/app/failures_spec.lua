local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/failures.h" })

describe("failures", function()
  local function new(list)
    local got = ffi.new("struct peri_failures *[1]")
    assert.equal(0, C.peri_failures_new(got))
    for _, each in ipairs(list or {}) do
      assert.equal(0, C.peri_failures_put(got[0], each[1], each[2], each[3]))
    end
    return ffi.gc(got[0], C.peri_failures_free)
  end

  local function all(failures)
    local list = {}
    for i = 0, tonumber(C.peri_failures_count(failures)) - 1 do
      local each = C.peri_failures_at(failures, i)
      list[i + 1] = { ffi.string(each.kind), ffi.string(each.name), ffi.string(each.words) }
    end
    return list
  end

  it("are kept in order, one for each policy: the first", function()
    local failures = new({ { "picker", "a", "1" }, { "balancer", "a", "2" }, { "picker", "a", "3" } })
    assert.same({ { "picker", "a", "1" }, { "balancer", "a", "2" } }, all(failures))
    assert.is_true(C.peri_failures_at(failures, 2) == nil)
  end)

  it("are found by kind and name", function()
    local failures = new({ { "picker", "a", "1" } })
    assert.equal("1", ffi.string(C.peri_failures_of(failures, "picker", "a").words))
    assert.is_true(C.peri_failures_of(failures, "picker", "b") == nil)
    assert.is_true(C.peri_failures_of(failures, "balancer", "a") == nil)
  end)

  it("are brought together", function()
    local many = {}
    for i = 1, 50 do
      many[i] = { "picker", "p" .. i, ("x"):rep(1000) }
    end
    local failures = new({ { "picker", "p1", "first" } })
    assert.equal(0, C.peri_failures_add(failures, new(many)))
    local got = all(failures)
    assert.equal(50, #got)
    assert.equal("first", got[1][3])
    assert.same(many[50], got[50])
    C.peri_failures_free(nil)
  end)
end)
