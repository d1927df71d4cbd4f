local tree = require("spec.lint.tree")

--- Runs a tool over all files of some folders; false when it is not installed.
local function over(tool, arguments, folders, ...)
  if not tree.has(tool) then
    pending(tool .. " is not installed")
    return
  end
  local files = tree.files(folders, ...)
  assert.is_true(#files > 0)
  local status, output = tree.run(("%s %s '%s'"):format(tool, arguments, table.concat(files, "' '")))
  assert.equal(0, status, output)
end

--- Feeds a tool a text on its standard input.
local function status_of(tool, arguments, text)
  if not tree.has(tool) then
    pending(tool .. " is not installed")
    return
  end
  return (tree.run(("printf '%%s' '%s' | %s %s"):format(text, tool, arguments)))
end

local clang_format = "--dry-run -Werror --style=file"
local luacheck = "--quiet --no-color --codes"

describe("the layout", function()
  it("of C is clang-format's", function()
    over("clang-format", clang_format, "core spec/core spec/bench spec/fuzz", ".c", ".h")
  end)

  it("of Lua passes luacheck", function()
    over("luacheck", luacheck, "lua plugins spec examples", ".lua")
  end)
end)

describe("the check of layouts", function()
  it("notices wrong C", function()
    local arguments = clang_format .. " --assume-filename=core/base/a.c"
    assert.equal(0, status_of("clang-format", arguments, "int a;\n"))
    assert.not_equal(0, status_of("clang-format", arguments, "int  a ;\n"))
  end)

  it("notices wrong Lua", function()
    assert.equal(0, status_of("luacheck", luacheck .. " -", "local a = 1\nreturn a\n"))
    assert.not_equal(0, status_of("luacheck", luacheck .. " -", "local a = 1\nb = 2\n"))
  end)
end)
