local s = require("spec.core.script.support")

describe("perigee.template", function()
  local vm
  before_each(function()
    vm = s.vm(nil, os.getenv("PERI_ROOT") .. "/lua")
  end)

  local function eval(text)
    local code, result = s.eval(vm, 'local template = require("perigee.template") ' .. text, nil, nil, true)
    assert.equal(0, code, result)
    return result
  end

  local function expand(text)
    return eval(("return assert(template.compile(%q, { 'key', 'group' })):expand({ key = 'a b/c', group = 'g' })"):format(text))
  end

  it("puts percent-encoded values in place", function()
    assert.equal("http://x/g/a%20b%2Fc?again=a%20b%2Fc", expand("http://x/{group}/{key}?again={key}"))
    assert.equal("", expand(""))
    assert.equal("plain", expand("plain"))
  end)

  it("writes doubled braces once", function()
    assert.equal("{key} {a%20b%2Fc}", expand("{{key}} {{{key}}}"))
  end)

  it("says what is wrong with a text", function()
    for _, text in ipairs({ "{kye}", "{", "a}", "{}", "{key" }) do
      local words = eval(("return (select(2, template.compile(%q, { 'key' })))"):format(text))
      assert.matches("is none of {key}", words, 1, true)
    end
  end)
end)
