local support = require("spec.core.model.decision_support")
local C, ffi = support.C, support.ffi

local function text(decision, bytes)
  return ffi.string(C.peri_decision_text(decision, support.slice(bytes)))
end

describe("model/decision", function()
  it("begins empty, with texts that can be read", function()
    local decision = support.new("call")
    for _, name in ipairs({ "subject", "key", "found", "service", "policy", "reason", "trouble", "chosen", "outcome" }) do
      assert.equal("", ffi.string(decision[name]), name)
    end
    assert.equal(-1, decision.status)
    assert.is_true(decision.at_ns > 0)
    C.peri_decision_unref(nil)
  end)

  it("keeps texts that people can read", function()
    local decision = support.new("call")
    assert.equal("plain", text(decision, "plain"))
    assert.equal("a b c?", text(decision, "a\nb\tc\27"))
    assert.equal("grüße", text(decision, "grüße"))
    assert.equal("gr?(ü", text(decision, "gr\195(ü"))
    assert.equal("x?31m", text(decision, "x\194\15531m"))
    assert.equal("", text(decision, ""))
    assert.equal("?secret", text(decision, "\0secret"))
  end)

  it("cuts texts at a whole character", function()
    local decision = support.new("call")
    assert.equal(256, #text(decision, ("a"):rep(256)))
    assert.equal(256, #text(decision, ("a"):rep(1000)))
    assert.equal(255, #text(decision, ("a"):rep(255) .. "ü"))
  end)

  it("formats texts", function()
    local decision = support.new("call")
    assert.equal("a 5", ffi.string(C.peri_decision_format(decision, "%s %d", "a", ffi.new("int", 5))))
    assert.equal(256, #ffi.string(C.peri_decision_format(decision, "%s", ("x"):rep(3000))))
  end)

  it("has room for many candidates and counts the others", function()
    local decision = support.new("call")
    assert.equal(0, tonumber(C.peri_decision_room(decision, 0)))
    assert.equal(3, tonumber(C.peri_decision_room(decision, 3)))
    assert.equal(0, tonumber(decision.candidate_more))
    assert.equal("", ffi.string(decision.candidates[2].zone))
    assert.equal(64, tonumber(C.peri_decision_room(decision, 1000)))
    assert.equal(64, tonumber(decision.candidate_count))
    assert.equal(936, tonumber(decision.candidate_more))
  end)

  it("lives as long as anybody refers to it, and so does the one before", function()
    local before, decision = support.new("call", { subject = "one" }), support.new("call")
    decision.before = C.peri_decision_ref(before)
    assert.equal(2, before.references)
    local again = C.peri_decision_ref(decision)
    C.peri_decision_unref(again)
    assert.equal(1, decision.references)
    ffi.gc(decision, nil)
    C.peri_decision_unref(decision)
    assert.equal(1, before.references)
    assert.equal("one", ffi.string(before.subject))
  end)

  it("lets go of a long row of attempts", function()
    local last = C.peri_decision_new(C.PERI_DECISION_CALL)
    for _ = 1, 5000 do
      local decision = C.peri_decision_new(C.PERI_DECISION_CALL)
      decision.before = last
      last = decision
    end
    C.peri_decision_unref(last)
  end)
end)
