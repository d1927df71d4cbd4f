local support = require("spec.core.model.decision_support")
local C, ffi = support.C, support.ffi

local function lines(decision, room)
  local into, list = ffi.new("struct peri_decision_lines"), {}
  C.peri_decision_lines_init(into, decision, room or 100000)
  for i = 1, tonumber(into.count) do
    list[i] = ffi.string(into.lines[i - 1].ptr, into.lines[i - 1].len)
  end
  C.peri_decision_lines_done(into)
  return list
end

describe("model/decision_lines", function()
  it("gives a line each, without what indents it", function()
    local decision = support.new("call", { subject = "a/b", attempt = 1, found = "the authority names it" })
    assert.same({ "a/b  attempt 1", "the authority names it" }, lines(decision))
  end)

  it("puts the attempts before first", function()
    local first, second = support.new("call", { subject = "a/b", attempt = 1 }), support.new("call", { subject = "a/b", attempt = 2 })
    second.before = C.peri_decision_ref(first)
    first.status = 14
    assert.same({ "attempt 1: UNAVAILABLE", "a/b  attempt 2" }, lines(second))
    local last = second
    for i = 3, 12 do
      local decision = support.new("call", { subject = "a/b", attempt = i, status = 14 })
      decision.before = C.peri_decision_ref(last)
      last = decision
    end
    local list = lines(last)
    assert.same({ "attempts 1 to 4 failed, too", "attempt 5: UNAVAILABLE" }, { list[1], list[2] })
    assert.same({ 10, "a/b  attempt 12" }, { #list, list[9] })
  end)

  it("encodes what fields cannot hold", function()
    local decision = support.new("call", { subject = "a/b", found = "50% of ünits" })
    assert.equal("50%25 of %C3%BCnits", lines(decision)[2])
  end)

  it("keeps lines and their number small", function()
    local decision = support.new("call", { subject = ("ü"):rep(128) })
    assert.equal(510, #lines(decision)[1])
    local list = {}
    for i = 1, 64 do
      list[i] = { address = "h:" .. i, weight = 1 }
    end
    support.candidates(decision, list)
    assert.equal(1 + 16 + 1, #lines(decision))
  end)

  it("says how it ended rather than all that could be chosen", function()
    local decision, list = support.new("call", { subject = "a/b", outcome = "a: no", status = 14 }), {}
    for i = 1, 8 do
      decision.missed[i - 1] = C.peri_decision_text(decision, support.slice("route did not: " .. i))
    end
    decision.missed_count = 8
    for i = 1, 64 do
      list[i] = { address = "h:" .. i, weight = 1, chosen = i == 50 }
    end
    support.candidates(decision, list)
    local all = lines(decision)
    assert.same({ 1 + 8 + 8 + 1 + 2, "UNAVAILABLE" }, { #all, all[#all] })
    assert.truthy(all[17]:find("h:50 .*  chosen$"), all[17])
    assert.same({ "and 56 more", "a: no" }, { all[18], all[19] })
    local few = lines(decision, 1000)
    assert.same({ "a: no", "UNAVAILABLE" }, { few[#few - 1], few[#few] })
  end)

  it("may be words that are at hand", function()
    local into = ffi.new("struct peri_decision_lines")
    C.peri_decision_lines_of(into, support.slice(("x\n"):rep(30)), 100000)
    assert.equal(24, tonumber(into.count))
    C.peri_decision_lines_done(into)
    C.peri_decision_lines_of(into, support.slice("one\n  two ü\n"), 100000)
    assert.equal("two %C3%BC", ffi.string(into.lines[1].ptr, into.lines[1].len))
    C.peri_decision_lines_done(into)
  end)

  it("stays within the room that there is", function()
    local decision = support.new("call", { subject = "12345", found = "1234567890" })
    assert.equal(0, #lines(decision, 51))
    assert.equal(1, #lines(decision, 52))
    assert.equal(1, #lines(decision, 52 + 56))
    assert.equal(2, #lines(decision, 52 + 57))
  end)
end)
