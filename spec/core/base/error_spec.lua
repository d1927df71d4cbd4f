local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h" })

local function name(code)
  return ffi.string(C.peri_error_name(code))
end

local function text(code)
  return ffi.string(C.peri_error_text(code))
end

describe("base/error", function()
  it("names each of its own codes once, with words", function()
    local seen = {}
    for code = C.PERI_EREFUSED, C.PERI_ENOMEM do
      local short = name(code)
      assert.truthy(short:match("^E%u+$"))
      assert.not_equal("EUNKNOWN", short)
      assert.is_nil(seen[short])
      seen[short] = true
      assert.not_equal("unknown error", text(code))
    end
    assert.equal("ENOTFOUND", name(C.PERI_ENOTFOUND))
    assert.equal("not found", text(C.PERI_ENOTFOUND))
  end)

  it("has the system's words for libuv's codes", function()
    assert.equal("ERRNO_2", name(-2))
    assert.equal("No such file or directory", text(-2))
    assert.equal("end of file", text(-4095))
    assert.equal("the host name could not be resolved", text(-3008))
  end)

  it("stays calm about codes nobody knows", function()
    assert.equal("OK", name(0))
    assert.equal("EUNKNOWN", name(5))
    assert.equal("EUNKNOWN", name(-20000))
    assert.equal("unknown error", text(-20000))
    assert.truthy(text(-4000):match("4000"))
  end)

  it("fills a problem and hands the code back", function()
    local problem = ffi.new("struct peri_problem")
    local code = C.peri_problem_set(problem, C.PERI_ECONFIG, "%s: line %d", "a.json", ffi.cast("int", 3))
    assert.equal(C.PERI_ECONFIG, code)
    assert.equal(C.PERI_ECONFIG, problem.code)
    assert.equal("a.json: line 3", ffi.string(problem.text))
  end)

  it("cuts long words and takes no problem at all", function()
    local problem = ffi.new("struct peri_problem")
    C.peri_problem_set(problem, C.PERI_EIO, "%s", ("x"):rep(2000))
    assert.equal(("x"):rep(495), ffi.string(problem.text))
    assert.equal(C.PERI_EIO, C.peri_problem_set(nil, C.PERI_EIO, "x"))
  end)
end)
