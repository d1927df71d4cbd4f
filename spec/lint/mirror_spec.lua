local mirror = require("spec.lint.mirror")
local tree = require("spec.lint.tree")

local core = mirror.mirrors[1]

local function check(...)
  return table.concat(mirror.check(core, { ... }), "\n")
end

describe("the specs", function()
  for _, each in ipairs(mirror.mirrors) do
    it("stand opposite their sources in " .. each.source, function()
      local paths = tree.files(each.source .. " " .. each.spec, ".c", ".h", ".lua")
      assert.equal("", table.concat(mirror.check(each, paths), "\n"))
    end)
  end
end)

describe("the check of mirrors", function()
  it("misses a spec", function()
    local complaint = "core/base/a.c has no spec spec/core/base/a_spec.lua"
    assert.equal(complaint, check("core/base/a.c"))
    assert.equal(complaint, check("core/base/a.c", "spec/core/loop/a_spec.lua", "core/loop/a.h"))
    assert.equal("", check("core/base/a.c", "spec/core/base/a_spec.lua"))
  end)

  it("misses a source", function()
    assert.equal("spec/core/base/a_spec.lua has no source core/base/a.c", check("spec/core/base/a_spec.lua"))
    assert.equal("", check("spec/core/base/a_spec.lua", "core/base/a.h"))
  end)

  it("wants no spec of main, of headers and of shims", function()
    assert.equal("", check("core/main.c", "core/base/a.h", "spec/core/base/a_shim.c"))
  end)

  it("wants specs of policies and of Lua, but not of type notes", function()
    local lua, plugins = mirror.mirrors[2], mirror.mirrors[3]
    assert.equal(1, #mirror.check(lua, { "lua/perigee/http.lua", "lua/perigee/_meta/http.lua" }))
    assert.equal(1, #mirror.check(plugins, { "plugins/picker/maglev.lua" }))
    assert.equal(0, #mirror.check(plugins, { "plugins/picker/maglev.lua", "spec/plugins/picker/maglev_spec.lua" }))
  end)
end)
