local cffi = require("spec.support.ffi")
local support = require("spec.core.model.decision_support")
local C, ffi = cffi.load({ "base/error.h", "app/explain_pack.h", "cli/explain_table.h" })

describe("the table of decisions", function()
  --- The table of some decisions, without their ages.
  local function shown(list)
    local bytes, text = ffi.new("struct peri_buffer"), ffi.new("struct peri_buffer")
    local decisions = ffi.new("const struct peri_decision *[?]", #list + 1, list)
    assert.equal(0, C.peri_explain_pack(decisions, #list, 0, bytes))
    assert.equal(0, C.peri_cli_explain_table(ffi.new("struct peri_slice", { bytes.ptr, bytes.len }), text))
    local got = ffi.string(text.ptr, text.len)
    C.peri_buffer_done(bytes)
    C.peri_buffer_done(text)
    return (got:gsub("\n[%d.]+ [um]?s +", "\n"):gsub("^AGE +", ""))
  end

  it("says what was decided, by whom and why, a line each", function()
    assert.equal(
      [[
WHAT       CHOSEN  BY               ENDED            WHY
a.B/C      h:1     p2c v2           OK after 2.0 ms  less in flight
a.B/C #3   h:2     mine v1 (older)  UNAVAILABLE      mine: it failed
a.B/D      -       -                UNIMPLEMENTED    nobody knows it
a.B/E      h:3     built in         -                the authority names the service
g germany  h:4     ring_crc32 v1    -                a Get asks the owner
]],
      shown({
        support.new("call", { subject = "a.B/C", attempt = 1, chosen = "h:1", policy = "p2c", version = 2, status = 0, elapsed_ns = 2000000, reason = "less in flight" }),
        support.new("call", { subject = "a.B/C", attempt = 3, chosen = "h:2", policy = "mine", version = 1, older = true, status = 14, reason = "x", trouble = "mine: it failed" }),
        support.new("call", { subject = "a.B/D", status = 12, outcome = "nobody knows it" }),
        support.new("call", { subject = "a.B/E", attempt = 1, chosen = "h:3", found = "the authority names the service" }),
        support.new("key", { subject = "g", key = "germany", chosen = "h:4", policy = "ring_crc32", version = 1, outcome = "a Get asks the owner" }),
      })
    )
  end)

  it("cuts a key that would push the rest out of sight", function()
    local list = { support.new("key", { subject = "g", key = ("k"):rep(250) }), support.new("key", { subject = "g", key = ("k"):rep(80) }) }
    local text = shown(list)
    assert.truthy(text:find("\ng " .. ("k"):rep(80) .. "...  -", 1, true), text)
    assert.truthy(text:find("\ng " .. ("k"):rep(80) .. "     -", 1, true), text)
  end)

  it("says when there is none", function()
    assert.equal("nothing has been decided yet\n", shown({}))
  end)

  it("cannot be made of anything else", function()
    local text = ffi.new("struct peri_buffer")
    assert.equal(C.PERI_EPROTO, C.peri_cli_explain_table(cffi.slice("\255\255"), text))
    C.peri_buffer_done(text)
  end)
end)
