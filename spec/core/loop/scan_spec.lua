local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "loop/scan.h" })

local function shell(...)
  assert(os.execute(string.format(...)) == 0)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("loop/scan", function()
  local dir
  before_each(function()
    dir = os.tmpname()
    os.remove(dir)
    shell("mkdir -p %s/sub", dir)
  end)
  after_each(function()
    shell("rm -rf %s", dir)
  end)

  ---@return string print
  ---@return string[] folders
  local function scan(folders, ending)
    folders = folders or { dir }
    local names = ffi.new("const char *[?]", #folders, folders)
    local out = ffi.new("struct peri_scan")
    assert.equal(0, C.peri_scan_run(names, #folders, ending, out))
    local found = {}
    for i = 1, tonumber(out.folder_count) do
      found[i] = ffi.string(out.folders[i - 1].path)
    end
    table.sort(found)
    local print = tostring(out.print)
    C.peri_scan_clear(out)
    return print, found
  end

  local function differs(change, ending)
    local before = scan(nil, ending)
    assert.equal(before, (scan(nil, ending)))
    change()
    return before ~= scan(nil, ending)
  end

  it("is the same while nothing changes, and names the folders", function()
    write(dir .. "/sub/a.lua", "a")
    assert.same({ dir, dir .. "/sub" }, select(2, scan()))
    assert.equal((scan()), (scan()))
    assert.same({ dir, dir .. "/sub" }, select(2, scan({ dir .. "/none", dir .. "/sub/a.lua", dir })))
  end)

  it("differs when a file came, grew, was replaced, was touched or went", function()
    local path = dir .. "/sub/a.lua"
    for _, change in ipairs({
      function()
        write(path, "one")
      end,
      function()
        write(path, "longer")
      end,
      function()
        shell("cp -p %s %s/new && mv %s/new %s", path, dir, dir, path)
      end,
      function()
        shell("touch -d 2020-01-01 %s", path)
      end,
      function()
        os.remove(path)
      end,
    }) do
      assert.is_true(differs(change, ".lua"))
    end
  end)

  it("differs when a folder came, is another or went", function()
    assert.is_true(differs(function()
      shell("mkdir %s/more", dir)
    end))
    assert.is_true(differs(function()
      shell("mkdir %s/.x && mv %s/more %s/.y && mv %s/.x %s/more", dir, dir, dir, dir, dir)
    end))
    assert.is_true(differs(function()
      shell("rmdir %s/more", dir)
    end))
  end)

  it("differs when a link leads elsewhere", function()
    shell("mkdir %s/..one %s/..two", dir, dir)
    write(dir .. "/..one/a.lua", "one")
    write(dir .. "/..two/a.lua", "two")
    shell("cd %s && ln -s ..one ..data && ln -s ..data/a.lua a.lua && ln -s ..data folder", dir)
    assert.same({ dir, dir .. "/folder", dir .. "/sub" }, select(2, scan()))
    assert.is_true(differs(function()
      shell("cd %s && ln -s ..two ..tmp && mv -T ..tmp ..data", dir)
    end, ".lua"))
    assert.is_true(differs(function()
      shell("cd %s && rm -r ..two", dir)
    end, ".lua"))
  end)

  it("does not look at names that do not count", function()
    assert.is_false(differs(function()
      write(dir .. "/sub/.a.lua.swp", "x")
      write(dir .. "/sub/.a.lua", "x")
      shell("mkdir %s/.git", dir)
      write(dir .. "/.git/a.lua", "x")
      write(dir .. "/a.txt", "x")
      write(dir .. "/a.lua~", "x")
    end, ".lua"))
    assert.is_true(differs(function()
      write(dir .. "/b.txt", "x")
    end))
    assert.is_true(C.peri_scan_counts("a.lua", ".lua"))
    assert.is_true(C.peri_scan_counts("a", nil))
    for _, name in ipairs({ ".lua", "", "lua", "a.lua~" }) do
      assert.is_false(C.peri_scan_counts(name, ".lua"), name)
    end
  end)

  it("ends where links lead back, and far down", function()
    shell("cd %s && ln -s . self && ln -s .. sub/up && ln -s nowhere gone && ln -s loop loop", dir)
    assert.same({ dir, dir .. "/sub" }, select(2, scan()))
    shell("cd %s && mkdir -p $(yes d | head -50 | paste -sd/)", dir)
    assert.equal(32, #select(2, scan()) - 1)
  end)

  it("opens neither pipes nor devices", function()
    shell("cd %s && mkfifo a.lua && ln -s /dev/zero b.lua", dir)
    assert.equal((scan()), (scan()))
  end)
end)
