local cffi = require("spec.support.ffi")
local support = require("spec.core.model.decision_support")
local C, ffi = cffi.load({ "app/explain_pack.h", "cli/explain_table.h" })

describe("what is told of decisions", function()
  local buffer
  before_each(function()
    buffer = ffi.new("struct peri_buffer")
  end)
  after_each(function()
    C.peri_buffer_done(buffer)
  end)

  local function pack(list, worker)
    local decisions = ffi.new("const struct peri_decision *[?]", #list + 1, list)
    assert.equal(0, C.peri_explain_pack(decisions, #list, worker or 0, buffer))
  end

  --- What the command line makes of it.
  local function table_of()
    return support.written(function(text)
      return C.peri_cli_explain_table(ffi.new("struct peri_slice", { buffer.ptr, buffer.len }), text)
    end)
  end

  it("is everything, with the same in words", function()
    local decision = support.new("call", {
      subject = "a.B/C", attempt = 2, chosen = "h:1", picked = true, policy = "p2c", version = 4, reason = "because", status = 0,
      elapsed_ns = 1500000, service = "a", found = "the authority names the service", zone = nil,
    })
    decision.missed[0] = C.peri_decision_text(decision, cffi.slice("route 1 did not: method"))
    decision.missed_count = 1
    support.candidates(decision, { { address = "h:1", zone = "north", weight = 3, chosen = true }, { address = "h:2", weight = 1 } })
    pack({ decision }, 7)
    local bytes = ffi.string(buffer.ptr, buffer.len)
    for _, part in ipairs({ "a.B/C", "h:2", "north", "route 1 did not: method", "p2c", "because", "OK", support.words(decision) }) do
      assert.truthy(bytes:find(part, 1, true), part)
    end
    assert.truthy(bytes:find("\16\7", 1, true), "the worker")
    assert.truthy(table_of():find("  a.B/C #2  h:1     p2c v4  OK after 1.5 ms  because\n", 1, true), table_of())
  end)

  it("is brought together in the order of time", function()
    local function at(subject, time)
      local decision = support.new("call", { subject = subject })
      decision.at_ns = time
      return decision
    end
    pack({ at("first", 10), at("third", 30) }, 0)
    pack({ at("second", 20), at("fourth", 40) }, 1)
    assert.equal(0, C.peri_explain_merge(buffer))
    assert.truthy(table_of():find("first.*second.*third.*fourth"), table_of())
  end)

  it("may be nothing", function()
    pack({})
    assert.equal(0, C.peri_explain_merge(buffer))
    assert.equal(0, tonumber(buffer.len))
  end)
end)
