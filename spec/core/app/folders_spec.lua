local uv = require("luv")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local C, ffi = cffi.load({ "app/folders.h" })

describe("the folders of the program's own Lua", function()
  local root

  setup(function()
    root = proc.folder()
    for _, folder in ipairs({ "tree", "tree/build", "tree/lua", "tree/plugins", "usr", "usr/bin", "usr/share", "usr/share/perigee", "usr/share/perigee/lua", "usr/share/perigee/plugins" }) do
      assert(uv.fs_mkdir(root .. "/" .. folder, 448))
    end
  end)

  teardown(function()
    proc.remove(root)
  end)

  local function find(data, program)
    local folders = ffi.new("struct peri_folders")
    local problem = ffi.new("struct peri_problem")
    local code = C.peri_folders_find(data, program, folders, problem)
    return code, ffi.string(folders.lua), ffi.string(folders.plugins), ffi.string(problem.text)
  end

  it("are beside the folder that a build is in", function()
    local code, lua, plugins = find(nil, root .. "/tree/build/perigee")
    assert.equal(0, code)
    assert.equal(root .. "/tree/lua", lua)
    assert.equal(root .. "/tree/plugins", plugins)
  end)

  it("are in share when installed", function()
    local code, lua = find("", root .. "/usr/bin/perigee")
    assert.equal(0, code)
    assert.equal(root .. "/usr/share/perigee/lua", lua)
  end)

  it("are where PERIGEE_DATA says, and nowhere else then", function()
    local code, lua = find(root .. "/tree", "/nowhere/perigee")
    assert.equal(0, code)
    assert.equal(root .. "/tree/lua", lua)
    local missing, _, _, words = find("/nowhere", root .. "/tree/build/perigee")
    assert.equal(tonumber(C.PERI_ENOTFOUND), missing)
    assert.truthy(words:find("PERIGEE_DATA", 1, true))
  end)

  it("are named when they are missing", function()
    local code, _, _, words = find(nil, "/nowhere/bin/perigee")
    assert.equal(tonumber(C.PERI_ENOTFOUND), code)
    assert.truthy(words:find("/nowhere/bin/../share/perigee", 1, true), words)
  end)
end)
