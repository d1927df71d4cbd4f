local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "app/setup.h", "base/json.h", "model/config.h" })

describe("a configuration file", function()
  local folder

  setup(function()
    folder = proc.folder()
  end)

  teardown(function()
    proc.remove(folder)
  end)

  local function read(text)
    local file = folder .. "/perigee.lua"
    if text then
      proc.write(file, text)
    end
    local got = ffi.new("struct peri_setup")
    local problem = ffi.new("struct peri_problem")
    local code = C.peri_setup_read(text and file or folder .. "/none.lua", got, problem)
    return got, code, ffi.string(problem.text)
  end

  it("is evaluated and checked", function()
    local got, code, words = read("return { workers = 1 + 2 }")
    assert.equal(0, code, words)
    assert.equal(3, got.config.workers)
    assert.is_true(got.tree ~= nil)
    assert.equal("return { workers = 1 + 2 }", ffi.string(got.source, got.source_len))
    C.peri_setup_done(got)
    assert.is_true(got.config == nil and got.tree == nil and got.source == nil)
    C.peri_setup_done(got)
  end)

  it("is named when it is wrong or missing", function()
    for text, word in pairs({ ["return {"] = "perigee.lua:1:", ["return { wrokers = 1 }"] = "wrokers", ["return 1"] = "table" }) do
      local _, code, words = read(text)
      assert.is_true(code < 0)
      assert.truthy(words:find(word, 1, true), words)
      assert.truthy(words:find("perigee.lua", 1, true), words)
    end
    local _, code, words = read(nil)
    assert.is_true(code < 0)
    assert.truthy(words:find("none.lua", 1, true), words)
  end)
end)
