local support = require("spec.plugins.support")
local s = support.s

describe("the fallback chain", function()
  local script, folder

  before_each(function()
    folder = s.folder()
    s.write(folder .. "/rows.json", '{"a":{"name":"A"}}')
    script = support.script(('"files":["%s"]'):format(folder))
  end)
  after_each(function()
    script:close()
    s.clean()
  end)

  local function ask(options, key)
    return script:fetch(assert(script:fallback("chain", options)), key)
  end

  local function link(name, members)
    return ('{"1":"%s"%s}'):format(name, members and "," .. members or "")
  end
  local static = link("static_reply", '"value":"last","ttl":"3s"')
  local rows = link("json_file", '"path":"rows.json"')
  local broken = link("json_file", '"path":"none.json"')

  it("passes on what the first one that answers says", function()
    assert.equal('{"name":"A"}', ask(('{"fallbacks":[%s,%s]}'):format(rows, static), "a").value)
    local got = ask(('{"fallbacks":[%s,%s]}'):format(broken, static), "a")
    assert.same({ 0, "last", 3e9 }, { got.code, got.value, got.ttl_ns })
  end)

  it("takes not-found for an answer, unless told otherwise", function()
    assert.equal(s.ENOTFOUND, ask(('{"fallbacks":[%s,%s]}'):format(rows, static), "b").code)
    assert.equal("last", ask(('{"fallbacks":[%s,%s],"on_not_found":true}'):format(rows, static), "b").value)
  end)

  it("fails when all fail, and does not take a failure for not-found", function()
    assert.equal(s.EIO, ask(('{"fallbacks":[%s,%s]}'):format(broken, broken), "a").code)
    assert.equal(s.EIO, ask(('{"fallbacks":[%s,%s],"on_not_found":true}'):format(rows, broken), "b").code)
    assert.equal(s.EIO, ask(('{"fallbacks":[%s,%s],"on_not_found":true}'):format(broken, rows), "b").code)
    assert.equal(s.ENOTFOUND, ask(('{"fallbacks":[%s,%s],"on_not_found":true}'):format(rows, rows), "b").code)
  end)

  it("may hold chains", function()
    local inner = link("chain", ('"fallbacks":[%s,%s]'):format(broken, static))
    assert.equal("last", ask(('{"fallbacks":[%s]}'):format(inner), "a").value)
  end)

  it("says at the start what is wrong with a link", function()
    for _, options in ipairs({ '{"fallbacks":[]}', "{}", '{"fallbacks":[{"1":"nonesuch"}]}', '{"fallbacks":[{"1":"static_reply"}]}' }) do
      local made, code, words = script:fallback("chain", options)
      assert.is_nil(made)
      assert.is_true(code < 0)
      assert.matches("chain", words)
    end
  end)
end)
