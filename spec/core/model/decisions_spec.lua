local support = require("spec.core.model.decision_support")
local C, ffi = support.C, support.ffi

local MS = 1000000

describe("model/decisions", function()
  local decisions
  before_each(function()
    decisions = ffi.gc(assert(C.peri_decisions_new()), C.peri_decisions_free)
  end)

  local at = 0
  local function keep(subject, trouble, now)
    local decision = support.new("call", { subject = subject })
    at = at + 1
    decision.at_ns = at
    C.peri_decisions_keep(decisions, decision, trouble or false, now or 1000 * MS)
  end

  local function all()
    local kept, list = {}, ffi.new("const struct peri_decision *[64]")
    for i = 1, tonumber(C.peri_decisions_list(decisions, list)) do
      kept[i] = ffi.string(list[i - 1].subject)
    end
    return kept
  end

  it("keeps the last ones in their order", function()
    assert.same({}, all())
    keep("a")
    keep("b", true)
    keep("c")
    assert.same({ "a", "b", "c" }, all())
    C.peri_decisions_free(nil)
  end)

  it("does not let ordinary ones push trouble out", function()
    keep("trouble", true)
    for i = 1, 100 do
      keep(tostring(i))
    end
    local kept = all()
    assert.equal(33, #kept)
    assert.equal("trouble", kept[1])
    assert.equal("69", kept[2])
    assert.equal("100", kept[33])
    for i = 1, 40 do
      keep("t" .. i, true)
    end
    kept = all()
    assert.equal(64, #kept)
    assert.equal("t9", kept[33])
    assert.equal("t40", kept[64])
  end)

  it("lets through 32 at once, and then one every 10 ms", function()
    local now, taken = 5000 * MS, 0
    while decisions.ordinary_ns <= now do
      keep("x", false, now)
      taken = taken + 1
    end
    assert.equal(33, taken)
    assert.equal(now + 10 * MS, tonumber(decisions.ordinary_ns))
    assert.equal(0, tonumber(decisions.trouble_ns))
    keep("x", false, now + 10 * MS)
    assert.equal(now + 20 * MS, tonumber(decisions.ordinary_ns))
    keep("x", false, now + 10000 * MS)
    assert.equal(now + 10000 * MS - 310 * MS, tonumber(decisions.ordinary_ns))
  end)

  it("holds a reference to what it keeps", function()
    local decision = support.new("call")
    C.peri_decisions_keep(decisions, decision, false, 1)
    assert.equal(2, decision.references)
    for _ = 1, 32 do
      keep("x")
    end
    assert.equal(1, decision.references)
  end)
end)
