local s = require("spec.core.script.support")
local C = s.C

describe("the words of a failure", function()
  after_each(s.clean)

  -- What a picker whose pick is in line 3 says when it fails.
  local function fail(pick, before)
    local text = 'local policy = require("perigee.policy") %s\nreturn policy.picker({ name = "p",\npick = function(self, key, peers) %s end })'
    local script = s.script({ ["picker/p.lua"] = text:format(before or "", pick) })
    local picker = assert(script:picker("p"))
    C.script_shim_update(picker, s.peers({ "10.0.0.1:1" }))
    assert.equal(s.ESCRIPT, (script:pick(picker, "k")))
    local _, words = script:notices()
    script:close()
    return words
  end
  local function says(wanted, words)
    local first = words:match("^[^\n]*")
    assert.truthy(first:find("^picker p: /.*/picker/p%.lua:3: "), words)
    assert.truthy(first:find(wanted, 1, true), words)
    assert.truthy(words:find("\nstack traceback:\n", 1, true), words)
    assert.is_nil(words:match("\nstack traceback:\n.*(\nstack traceback:\n)"), words)
  end

  it("name file and line of a trip, whatever was running", function()
    says("budget of", fail("while true do end"))
    says("budget of", fail("while true do pcall(function() while true do end end) end"))
    says("budget of", fail("local t = {} while true do table.move(t, 1, 1e5, 1) end"))
    says("budget of", fail("local t = {} for i = 1, 1e4 do t[i] = -i end while true do table.sort(t) end"))
    says("budget of", fail("local f = load('while true do end') f()"))
    says("budget of", fail("local f = coroutine.wrap(function() while true do end end) f()"))
  end)

  it("name the policy's function when nothing of it is left", function()
    says("budget of", fail("return text:find(('a*'):rep(50) .. 'b')", "local text = ('a'):rep(1e4)"))
  end)

  it("name file and line where memory was refused", function()
    says("the memory cap of 8192 KiB is used up", fail("t[8] = t[1] .. t[2] .. t[3] .. t[4]", "local t = {} for i = 1, 5 do t[i] = ('%d'):format(i):rep(1e6) end"))
  end)

  it("name file and line of what is no text", function()
    says("an error value of type table", fail("error({})"))
    says("an error value of type nil", fail("error()"))
    says("as text", fail("error(setmetatable({}, { __tostring = function() return 'as text' end }))"))
    says("whose __tostring fails", fail("error(setmetatable({}, { __tostring = function() error('no') end }))"))
    says("whose __tostring fails: the ", fail("error(setmetatable({}, { __tostring = function() while true do end end }))"))
    says("an error value of type table", fail("error(setmetatable({}, { __tostring = function() return {} end }))"))
  end)

  it("are as the policy says when it says", function()
    local words = fail("error('just this', 0)")
    assert.truthy(words:find("^picker p: just this\nstack traceback:\n.*p%.lua:3:"), words)
  end)
end)
