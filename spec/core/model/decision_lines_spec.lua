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
    assert.same({ "a/b  attempt 1", "a/b  attempt 2" }, lines(second))
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
    assert.equal(24, #lines(decision))
  end)

  it("stays within the room that there is", function()
    local decision = support.new("call", { subject = "12345", found = "1234567890" })
    assert.equal(0, #lines(decision, 51))
    assert.equal(1, #lines(decision, 52))
    assert.equal(1, #lines(decision, 52 + 56))
    assert.equal(2, #lines(decision, 52 + 57))
  end)
end)
