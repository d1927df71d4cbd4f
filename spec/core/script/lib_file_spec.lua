local s = require("spec.core.script.support")

local reader = [[
  local policy, file = require("perigee.policy"), require("perigee.file")
  return policy.fallback({
    name = "reader",
    schema = { newer = { type = "boolean" } },
    new = function(options) return { newer = options.newer } end,
    fetch = function(self, request)
      if not self.newer then
        return file.read(request:key(), { max_bytes = 100 })
      end
      local text, mtime = file.read_newer(request:key(), self.mtime)
      self.mtime = mtime
      return tostring(text)
    end,
  })]]

describe("perigee.file", function()
  local folder, script, fallback

  before_each(function()
    folder = s.folder()
    s.write(folder .. "/open/a.txt", "shown")
    s.write(folder .. "/open/sub/b.txt", "below")
    s.write(folder .. "/open/big.txt", ("x"):rep(101))
    s.write(folder .. "/second/c.txt", "second")
    s.write(folder .. "/secret.txt", "secret")
    s.write(folder .. "/open-not/d.txt", "beside")
    os.execute(("ln -s ../secret.txt '%s/open/link'"):format(folder))
    script = s.script({ ["fallback/reader.lua"] = reader }, ('{"files":["%s/open","%s/second"]}'):format(folder, folder))
    fallback = assert(script:fallback("reader"))
  end)

  after_each(function()
    script:close()
    s.clean()
  end)

  it("reads below the folders, by absolute and relative paths", function()
    assert.equal("shown", script:fetch(fallback, folder .. "/open/a.txt").value)
    assert.equal("shown", script:fetch(fallback, "a.txt").value)
    assert.equal("below", script:fetch(fallback, "sub/b.txt").value)
    assert.equal("second", script:fetch(fallback, "c.txt").value)
    assert.equal("second", script:fetch(fallback, folder .. "/second/c.txt").value)
  end)

  it("reads nothing else", function()
    for _, path in ipairs({ "/secret.txt", "/open/../secret.txt", "/open/link", "/open-not/d.txt" }) do
      local got = script:fetch(fallback, folder .. path)
      assert.equal(-10014, got.code, path)
      assert.matches("^EPERM", got.text)
    end
    assert.equal(-10014, script:fetch(fallback, "../secret.txt").code)
    assert.equal(-10014, script:fetch(fallback, "/etc/hostname").code)
  end)

  it("says what is wrong with a file", function()
    assert.equal(s.ENOTFOUND, script:fetch(fallback, "none.txt").code)
    assert.equal(s.ENOTFOUND, script:fetch(fallback, folder .. "/open/none.txt").code)
    assert.equal(s.ELIMIT, script:fetch(fallback, "big.txt").code)
    assert.equal(s.EINVAL, script:fetch(fallback, "sub").code)
  end)

  it("has no text when nothing is newer", function()
    local newer = assert(script:fallback("reader", '{"newer":true}'))
    assert.equal("shown", script:fetch(newer, "a.txt").value)
    assert.equal("false", script:fetch(newer, "a.txt").value)
    os.execute(("touch -d '2001-02-03' '%s/open/a.txt'"):format(folder))
    assert.equal("shown", script:fetch(newer, "a.txt").value)
  end)

  it("can be given up while it reads", function()
    local outcome = s.ffi.new("struct script_outcome")
    local fetch = s.ffi.new("struct peri_fetch *[1]")
    assert.equal(0, s.C.script_shim_fetch(fallback, "a.txt", "origin", "", 5000, outcome, fetch))
    s.C.script_shim_cancel(fallback, fetch[0])
    for _ = 1, 20 do
      s.C.peri_loop_step(script.shim.loop, 1)
    end
    assert.equal(0, outcome.calls)
    assert.equal("shown", script:fetch(fallback, "a.txt").value)
  end)

  it("does not wait where nothing may", function()
    local code, text = s.eval(s.vm(), "require('perigee.file').read('a.txt')")
    assert.equal(s.ESCRIPT, code)
    assert.matches("may not wait here", text)
    assert.equal(s.ESCRIPT, (s.eval(s.vm(), "require('perigee.file').read('')")))
    assert.equal(s.ESCRIPT, (s.eval(s.vm(), "require('perigee.file').read('a\\0b')")))
  end)
end)
