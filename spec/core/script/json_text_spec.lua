local s = require("spec.core.script.support")

describe("peri_json_text_push", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  local function encode(value)
    local code, text = s.eval(vm, ("local json = require('perigee.json') local text, err = json.encode(%s) return text or err"):format(value))
    assert.equal(0, code, text)
    return text
  end

  it("writes objects with sorted keys and arrays", function()
    assert.equal('{"a":[1,2,3],"b":{"c":true},"d":null}', encode("{ d = json.null, b = { c = true }, a = { 1, 2, 3 } }"))
  end)

  it("tells empty objects from marked arrays", function()
    assert.equal("{}", encode("{}"))
    assert.equal("[]", encode("json.array()"))
    assert.equal('{"a":[]}', encode("json.decode('{\"a\":[]}')"))
  end)

  it("writes whole numbers whole and others as short as exact", function()
    assert.equal("[0,-1,9007199254740992,0.1,1e+300,-2.5]", encode("{ 0, -1, 2^53, 0.1, 1e300, -2.5 }"))
    assert.equal("0.30000000000000004", encode("0.1 + 0.2"))
  end)

  it("escapes what must be, and nothing else", function()
    assert.equal([["a\"\\\n\u0000\u001f/é"]], encode([['a"\\\n\0\31/é']]))
  end)

  it("names the place of what JSON cannot say", function()
    assert.equal("EINVAL: a.b[2]: JSON has no form for a function", encode("{ a = { b = { 1, print } } }"))
    assert.equal("EINVAL: the value: JSON has no infinite numbers and no NaN", encode("0/0"))
    assert.equal("EINVAL: x: text is not UTF-8", encode([[{ x = '\255' }]]))
    assert.matches("neither an object nor an array", encode("{ 1, 2, x = 3 }"))
    assert.matches("neither an object nor an array", encode("{ [1] = 1, [3] = 3 }"))
  end)

  it("ends a circle", function()
    assert.matches("nested too deep, or in a circle", encode("(function() local t = {} t.t = t return t end)()"))
  end)

  it("is stopped by the budget", function()
    local code = s.eval(
      vm,
      "local json = require('perigee.json') local t = {} for i = 1, 1000 do t[i] = i end while true do json.encode(t) end",
      1e6
    )
    assert.equal(s.ESCRIPT, code)
  end)

  it("writes no more than the memory cap has room for", function()
    vm = s.vm(2 ^ 20)
    local code, text = s.eval(vm, [[
      local list, part = {}, ("x"):rep(100000)
      for i = 1, 100 do list[i] = part end
      return require("perigee.json").encode(list)]])
    assert.equal(s.ESCRIPT, code)
    assert.matches("the text does not fit the memory cap", text)
  end)
end)
