local s = require("spec.core.script.support")

local finder = [[
  local policy, file = require("perigee.policy"), require("perigee.file")
  return policy.fallback({
    name = "finder",
    schema = { rows = { type = "string" }, key = { type = "any" }, keep = { type = "boolean" } },
    new = function(options) return { options = options, held = {} } end,
    fetch = function(self, request)
      local options, old = self.options, self.records
      local fresh, err, name = file.records("data.json", { rows = options.rows, key = options.key }, old and old:mtime())
      if fresh == nil then
        return nil, err, name
      end
      self.records = fresh or old
      if options.keep then
        table.insert(self.held, self.records)
        self.records = nil
      end
      local records = fresh or old
      local found = records:get(request:key())
      return ("%s %d %s"):format(fresh and "new" or "same", records:count(), tostring(found))
    end,
  })]]

describe("perigee.file.records", function()
  local folder, script

  local function start(members)
    script = s.script({ ["fallback/finder.lua"] = finder }, ('{"files":["%s"]%s}'):format(folder, members or ""))
  end

  before_each(function()
    folder = s.folder()
    s.write(folder .. "/data.json", '{"list":[{"id":"a","n":1},{"id":"b","n":2}]}')
  end)
  after_each(function()
    script:close()
    s.clean()
  end)

  it("gives rows by key, and false while the file is the same", function()
    start()
    local made = assert(script:fallback("finder", '{"rows":"list","key":["id","n"]}'))
    assert.equal('new 4 {"id":"a","n":1}', script:fetch(made, "a").value)
    assert.equal('same 4 {"id":"b","n":2}', script:fetch(made, "2").value)
    assert.equal("same 4 nil", script:fetch(made, "c").value)
    s.write(folder .. "/data.json", '{"list":[{"id":"c"}]}')
    os.execute(("touch -d '2001-02-03' '%s/data.json'"):format(folder))
    assert.equal('new 1 {"id":"c"}', script:fetch(made, "c").value)
  end)

  it("says what is wrong with the file, and with what is asked", function()
    start()
    local made = assert(script:fallback("finder", '{"rows":"none"}'))
    assert.matches('EINVAL: it has no rows at "none"', script:fetch(made, "a").text, 1, true)
    made = assert(script:fallback("finder", '{"key":5}'))
    assert.matches("key is a field's name or a list", script:fetch(made, "a").text, 1, true)
    made = assert(script:fallback("finder", '{"key":["a",5]}'))
    assert.matches("key is a field's name or a list", script:fetch(made, "a").text, 1, true)
    os.remove(folder .. "/data.json")
    made = assert(script:fallback("finder"))
    assert.equal(s.ENOTFOUND, script:fetch(made, "a").code)
  end)

  it("counts against the memory cap, and gives back what is dropped", function()
    start(',"policies":{"limits":{"memory":"2MiB"}}')
    local rows = {}
    for i = 1, 6000 do
      rows[i] = ('{"id":"key-%d","text":"some text or other"}'):format(i)
    end
    s.write(folder .. "/data.json", '{"list":[' .. table.concat(rows, ",") .. "]}")
    -- Each takes about a third of it.
    local drops = assert(script:fallback("finder", '{"rows":"list","key":"id"}'))
    for i = 1, 20 do
      os.execute(("touch -d '2001-02-%02d' '%s/data.json'"):format(i, folder))
      assert.equal("new 6000 nil", script:fetch(drops, "a").value)
    end
    local keeps = assert(script:fallback("finder", '{"rows":"list","key":"id","keep":true}'))
    local got
    for _ = 1, 3 do
      got = script:fetch(keeps, "a")
    end
    assert.matches("^ELIMIT: its records do not fit", got.text)
  end)

  it("can be given up while it reads", function()
    start()
    local made = assert(script:fallback("finder"))
    local outcome = s.ffi.new("struct script_outcome")
    local fetch = s.ffi.new("struct peri_fetch *[1]")
    assert.equal(0, s.C.script_shim_fetch(made, "a", "origin", "", 5000, outcome, fetch))
    s.C.script_shim_cancel(made, fetch[0])
    for _ = 1, 20 do
      s.C.peri_loop_step(script.shim.loop, 1)
    end
    assert.equal(0, outcome.calls)
  end)
end)
