local s = require("spec.core.script.support")

describe("string functions", function()
  local vm = s.vm()

  it("raise for wrong arguments", function()
    for _, text in ipairs({
      "string.find()",
      "string.find('a')",
      "string.find({}, 'a')",
      "string.gsub('a', 'a')",
      "string.gsub('a', 'a', true)",
      "string.gsub('a', 'a', function() return {} end)",
      "string.gsub('a', 'a', '%9')",
      "string.gmatch('a')",
      "string.rep('a')",
    }) do
      local code, words = s.eval(vm, text)
      assert.equal(s.ESCRIPT, code, text)
      assert.truthy(words:find("eval:1: ", 1, true), words)
    end
  end)

  it("keep NUL bytes", function()
    assert.same({ 0, "3" }, { s.eval(vm, "return #('a\\0b')") })
    assert.same({ 0, "2" }, { s.eval(vm, "return (('a\\0b'):find('\\0', 1, true))") })
    assert.same({ 0, "true" }, { s.eval(vm, "return ('a\\0b'):gsub('%z', '-') == 'a-b'") })
  end)

  it("pass errors of replacement functions on", function()
    local code, text = s.eval(vm, "('abc'):gsub('b', function() error('inside') end)")
    assert.equal(s.ESCRIPT, code)
    assert.truthy(text:find("inside", 1, true))
  end)

  it("walk several matches at once", function()
    assert.same({ 0, "a1b2" }, {
      s.eval(vm, "local x, y, out = ('ab'):gmatch('.'), ('12'):gmatch('.'), '' for c in x do out = out .. c .. y() end return out"),
    })
  end)
end)
