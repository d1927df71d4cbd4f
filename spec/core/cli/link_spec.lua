local proc = require("spec.support.proc")
local cffi = require("spec.support.ffi")
local kitchen = require("spec.core.cli.kitchen")
local C, ffi = cffi.load({ "cli/link.h", "rpc/call.h", "base/status.h", "cli/link_shim.h" })

describe("a link", function()
  local link

  setup(function()
    kitchen.build()
    local made, problem = ffi.new("struct peri_cli_link *[1]"), ffi.new("struct peri_problem")
    assert.equal(0, C.peri_cli_link_new(kitchen.start(), made, problem))
    link = made[0]
  end)

  teardown(function()
    C.peri_cli_link_free(link)
    C.peri_cli_link_free(nil)
    proc.destroy_all()
  end)

  --- Calls a method of the kitchen; the answers are counted, and all of them after `most` refused.
  local function call(method, most, ...)
    local texts, count = { ... }, select("#", ...)
    local messages = ffi.new("struct peri_slice[?]", count + 1)
    for i, text in ipairs(texts) do
      messages[i - 1] = cffi.slice(text)
    end
    local path = "/kitchen.v1.Kitchen/" .. method
    local request = ffi.new("struct peri_rpc_request", { path = path, timeout_ms = 20000 })
    local answers = ffi.new("struct link_answers", { most = most })
    local outcome = ffi.new("struct peri_cli_outcome")
    local rc = C.peri_cli_link_call(link, request, messages, count, C.link_answer, answers, outcome)
    return rc, answers.count, outcome.status, ffi.string(outcome.text)
  end

  it("makes calls of every kind, one after another", function()
    assert.same({ 0, 1, 0, "" }, { call("Echo", 9, "\24\1") })
    assert.same({ 0, 3, 0, "" }, { call("Chat", 9, "\24\1", "\24\2", "") })
    assert.same({ 0, 1, 0, "" }, { call("Collect", 9) })
    assert.same({ 0, 0, 5, "gone" }, { call("Fail", 9, "\24\5\114\4gone") })
    assert.same({ 0, 0, 5, "gone?[1m" }, { call("Fail", 9, "\24\5\114\8gone\27[1m") })
  end)

  it("stops when an answer is refused", function()
    assert.equal(C.PERI_ECANCELED, (call("Split", 1, "\146\1\3\1\2\3")))
    assert.same({ 0, 1, 0, "" }, { call("Echo", 9, "\24\1") })
  end)

  it("refuses a target that is none", function()
    local made, problem = ffi.new("struct peri_cli_link *[1]"), ffi.new("struct peri_problem")
    assert.equal(C.PERI_EINVAL, C.peri_cli_link_new("", made, problem))
    assert.is_true(#ffi.string(problem.text) > 0)
  end)

  it("limits what is sent at once", function()
    assert.equal(C.PERI_ELIMIT, (call("Chat", 9, ("x"):rep(3000000), ("x"):rep(3000000))))
  end)
end)
