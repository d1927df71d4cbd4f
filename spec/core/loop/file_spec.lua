local M = require("spec.core.loop.probe")
local C, ffi = M.C, M.ffi

ffi.cdef("unsigned geteuid(void); int chmod(const char *path, unsigned mode);")

local function shell(...)
  assert(os.execute(string.format(...)) == 0)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("loop/file", function()
  local loop, dir
  before_each(function()
    loop = M.loop()
    dir = os.tmpname()
    os.remove(dir)
    shell("mkdir -p %s/root/sub %s/rootless", dir, dir)
    write(dir .. "/root/a.txt", "hello\0there")
    write(dir .. "/root/sub/b.txt", "below")
    write(dir .. "/rootless/c.txt", "beside")
    write(dir .. "/out.txt", "outside")
  end)
  after_each(function()
    loop.free()
    shell("rm -rf %s", dir)
  end)

  --- Reads and returns the code and the bytes.
  local function read(root, path, max_bytes)
    local probe = loop.probe()
    loop.make("peri_file_read", C.peri_file_read, root, path, max_bytes or 1e6, nil, C.peri_probe_done, probe)
    C.peri_loop_run(loop.ptr)
    assert.equal(1, probe.calls)
    local bytes = ffi.string(probe.bytes, probe.len)
    ffi.C.free(probe.bytes)
    return probe.code, bytes, tonumber(probe.mtime_ns)
  end

  it("reads a whole file with its time", function()
    local code, bytes, mtime_ns = read(nil, dir .. "/root/a.txt")
    assert.equal(0, code)
    assert.equal("hello\0there", bytes)
    assert.is_true(math.abs(mtime_ns / 1e9 - os.time()) < 100)
  end)

  it("lets a read file be worked on before it is given", function()
    local function process(path)
      local probe = loop.probe()
      loop.make("peri_file_read", C.peri_file_read, nil, path, 1e6, C.peri_probe_process, C.peri_probe_done, probe)
      C.peri_loop_run(loop.ptr)
      assert.equal(1, probe.calls)
      ffi.C.free(probe.bytes)
      return probe
    end
    local probe = process(dir .. "/root/a.txt")
    assert.same({ 1, 11, 0 }, { probe.processed, tonumber(probe.processed_len), probe.code })
    assert.same(0, process(dir .. "/none").processed)
  end)

  it("reads empty files, large files and files that say they are empty", function()
    write(dir .. "/empty", "")
    write(dir .. "/large", ("x"):rep(3000001))
    assert.same({ 0, "" }, { unpack({ read(nil, dir .. "/empty") }, 1, 2) })
    local code, bytes = read(nil, dir .. "/large", 3000001)
    assert.equal(0, code)
    assert.equal(3000001, #bytes)
    code, bytes = read(nil, "/proc/self/status")
    assert.equal(0, code)
    assert.is_truthy(bytes:find("^Name:"))
  end)

  it("stops at the limit", function()
    assert.equal(0, (read(nil, dir .. "/out.txt", 7)))
    assert.equal(C.PERI_ELIMIT, (read(nil, dir .. "/out.txt", 6)))
    assert.equal(C.PERI_ELIMIT, (read(nil, "/proc/self/status", 10)))
  end)

  it("reads only below the root", function()
    local root = dir .. "/root"
    shell("ln -s ../a.txt %s/sub/inside && ln -s %s/sub %s/subdir", root, root, root)
    shell("ln -s ../out.txt %s/escape && ln -s %s %s/away", root, dir, root)
    for path, text in pairs({
      ["a.txt"] = "hello\0there",
      ["sub/b.txt"] = "below",
      ["sub/../a.txt"] = "hello\0there",
      ["sub/inside"] = "hello\0there",
      ["subdir/b.txt"] = "below",
      [root .. "/sub/b.txt"] = "below",
      ["../root/a.txt"] = "hello\0there",
    }) do
      local code, bytes = read(root, path)
      assert.equal(0, code, path)
      assert.equal(text, bytes, path)
    end
    for _, path in ipairs({
      "../out.txt",
      "../rootless/c.txt",
      dir .. "/rootless/c.txt",
      "escape",
      "away/out.txt",
      dir .. "/root/../out.txt",
      "/etc/passwd",
    }) do
      local code, bytes = read(root, path)
      assert.equal(C.PERI_EPERM, code, path)
      assert.equal("", bytes)
    end
  end)

  it("takes a root that is a link, ends with a slash, or is everything", function()
    shell("ln -s root %s/link", dir)
    assert.equal(0, (read(dir .. "/link", "a.txt")))
    assert.equal(C.PERI_EPERM, (read(dir .. "/link", "../out.txt")))
    assert.equal(0, (read(dir .. "/root/", "a.txt")))
    assert.equal(0, (read("/", dir .. "/out.txt")))
  end)

  it("says what is not there", function()
    assert.equal(C.PERI_ENOTFOUND, (read(nil, dir .. "/nothing")))
    assert.equal(C.PERI_ENOTFOUND, (read(dir .. "/root", "nothing")))
    assert.equal(C.PERI_ENOTFOUND, (read(dir .. "/nowhere", "a.txt")))
    assert.equal(C.PERI_ENOTFOUND, (read(nil, dir .. "/out.txt/x")))
  end)

  it("reads regular files only, and no FIFO hangs it", function()
    shell("mkfifo %s/root/fifo", dir)
    assert.equal(C.PERI_EINVAL, (read(dir .. "/root", "fifo")))
    assert.equal(C.PERI_EINVAL, (read(nil, dir .. "/root")))
    assert.equal(C.PERI_EINVAL, (read(nil, "/dev/zero")))
    shell("ln -s loop %s/root/loop", dir)
    assert.equal(C.PERI_EINVAL, (read(dir .. "/root", "loop")))
  end)

  it("says when it may not read", function()
    if ffi.C.geteuid() == 0 then
      return -- root may read everything
    end
    ffi.C.chmod(dir .. "/out.txt", 0)
    assert.equal(C.PERI_EPERM, (read(nil, dir .. "/out.txt")))
  end)

  it("ends a cancelled read once, as cancelled", function()
    local probes = {}
    for i = 1, 20 do
      probes[i] = loop.probe()
      local reading =
        loop.make("peri_file_read", C.peri_file_read, nil, dir .. "/out.txt", 1e6, nil, C.peri_probe_done, probes[i])
      C.peri_file_cancel(reading)
    end
    C.peri_file_cancel(nil)
    C.peri_loop_run(loop.ptr)
    for _, probe in ipairs(probes) do
      assert.equal(1, probe.calls)
      assert.equal(C.PERI_ECANCELED, probe.code)
      assert.equal(0, tonumber(probe.len))
      ffi.C.free(probe.bytes)
    end
  end)

  it("slurps with a NUL behind", function()
    local bytes, len = ffi.new("char *[1]"), ffi.new("size_t[1]")
    assert.equal(0, C.peri_file_slurp(dir .. "/out.txt", 100, bytes, len))
    assert.equal(7, tonumber(len[0]))
    assert.equal("outside", ffi.string(bytes[0]))
    ffi.C.free(bytes[0])
    assert.equal(C.PERI_ELIMIT, C.peri_file_slurp(dir .. "/out.txt", 6, bytes, len))
    assert.equal(C.PERI_ENOTFOUND, C.peri_file_slurp(dir .. "/no", 6, bytes, len))
    assert.equal(C.PERI_EINVAL, C.peri_file_slurp(dir, 6, bytes, len))
  end)
end)
