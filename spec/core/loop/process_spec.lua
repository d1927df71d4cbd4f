local M = require("spec.core.loop.probe")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "loop/process.h", "loop/process_shim.h" })

ffi.cdef("void (*signal(int number, void (*handler)(int)))(int);")
local SIGKILL, SIGPIPE, SIGUSR1 = 9, 13, 10
local EACCES, ENOENT = 13, 2

local function strings(list)
  local array = ffi.new("const char *[?]", #list + 1, list)
  array[#list] = nil
  return array
end

describe("loop/process", function()
  local loop
  before_each(function()
    loop = M.loop()
  end)
  after_each(function()
    loop.free()
  end)

  local function start(command, environment, descriptors)
    local process = ffi.new("struct peri_shim_process")
    process.descriptors = descriptors or 0
    local code = C.peri_shim_process_start(loop.ptr, strings(command), strings(environment or { "PATH=/usr/bin:/bin" }), process)
    return process, code
  end

  local function finish(process)
    assert.is_true(loop.step_until(function()
      return process.ended == 1
    end))
    assert.equal(-10008, C.peri_process_signal(process.process, SIGUSR1))
    C.peri_process_free(process.process)
    return process.status, process.signal
  end

  it("tells what a program exits with", function()
    local process, code = start({ "sh", "-c", "exit 7" })
    assert.equal(0, code)
    assert.is_true(C.peri_process_id(process.process) > 1)
    assert.same({ 7, 0 }, { finish(process) })
  end)

  it("tells the signal that ends it", function()
    local process = start({ "sleep", "60" })
    assert.equal(0, C.peri_process_signal(process.process, SIGKILL))
    assert.same({ 0, SIGKILL }, { finish(process) })
  end)

  it("hands its environment over, and nothing else", function()
    local process = start({ "sh", "-c", '[ "$A" = "b c" ] && [ -z "$HOME" ]' }, { "PATH=/usr/bin:/bin", "A=b c" })
    assert.same({ 0, 0 }, { finish(process) })
  end)

  it("lets it open fewer files than itself, when told so", function()
    local function limit()
      return assert(io.open("/proc/self/limits")):read("*a"):match("Max open files%s+(%d+)")
    end
    local before = limit()
    local process = start({ "sh", "-c", "exit $(ulimit -Sn)" }, nil, 77)
    assert.same({ 77, 0 }, { finish(process) })
    assert.equal(before, limit())
    -- More than it has itself is nothing to ask for.
    process = start({ "sh", "-c", ('[ "$(ulimit -Sn)" = %s ]'):format(before) }, nil, before + 1)
    assert.same({ 0, 0 }, { finish(process) })
  end)

  it("goes without a limit that it is over itself", function()
    local process = start({ "sh", "-c", '[ "$(ulimit -Sn)" -gt 1 ]' }, nil, 1)
    assert.same({ 0, 0 }, { finish(process) })
  end)

  it("sets every signal to its default", function()
    local before = ffi.C.signal(SIGPIPE, ffi.cast("void (*)(int)", 1))
    local process = start({ "sh", "-c", "kill -PIPE $$; exit 0" })
    ffi.C.signal(SIGPIPE, before)
    assert.same({ 0, SIGPIPE }, { finish(process) })
  end)

  it("says why a program cannot be started", function()
    local _, code = start({ "no-such-program-anywhere" })
    assert.equal(-ENOENT, code)
    _, code = start({ "/etc/passwd" })
    assert.equal(-EACCES, code)
  end)

  it("can be forgotten while it runs", function()
    local process = start({ "sleep", "60" })
    local pid = C.peri_process_id(process.process)
    C.peri_process_free(process.process)
    C.peri_process_free(nil)
    os.execute("kill -9 " .. pid)
    assert.equal(0, process.ended)
  end)
end)
