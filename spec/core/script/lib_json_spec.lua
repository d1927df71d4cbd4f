local s = require("spec.core.script.support")

describe("perigee.json", function()
  local vm
  before_each(function()
    vm = s.vm()
  end)

  local function eval(text)
    local code, result = s.eval(vm, "local json = require('perigee.json') " .. text)
    assert.equal(0, code, result)
    return result
  end

  it("decodes what it encodes", function()
    local text = [[{"a":[1,2.5,"x",true,false,null],"b":{},"c":[],"d":"é\u0000"}]]
    assert.equal("true", eval(("local t = %q return json.encode(json.decode(t)) == t"):format(text)))
  end)

  it("keeps null apart from absent", function()
    assert.equal("true nil", eval([[local t = json.decode('{"a":null}') return tostring(t.a == json.null) .. " " .. tostring(t.b)]]))
  end)

  it("says where a text is wrong", function()
    local text = eval([[local value, err, name = json.decode('{"a":\n1,,}') return tostring(value) .. " " .. err .. " " .. name]])
    assert.matches("^nil EINVAL: .*2.* EINVAL$", text)
  end)

  it("refuses texts that are nested too deep", function()
    assert.matches("^EINVAL", eval("return (select(2, json.decode(('['):rep(100) .. (']'):rep(100))))"))
  end)

  it("raises for what is no text", function()
    assert.equal(s.ESCRIPT, (s.eval(vm, "return require('perigee.json').decode({})")))
    assert.equal(s.ESCRIPT, (s.eval(vm, "return require('perigee.json').encode()")))
  end)

  it("frees a document that does not fit the policy's memory", function()
    local small = s.vm(512 * 1024)
    local code = s.eval(small, [[
      local json = require("perigee.json")
      local text = "[" .. ("[1,2],"):rep(20000) .. "1]"
      return #json.decode(text)]])
    assert.equal(s.ENOMEM, code)
    assert.equal("3", select(2, s.eval(small, "return #require('perigee.json').decode('[1,2,3]')")))
  end)
end)
