local M = require("spec.core.loop.probe")
local C, ffi = M.C, M.ffi

ffi.cdef([[
int pipe(int fds[2]);
int close(int fd);
ssize_t write(int fd, const void *bytes, size_t count);
ssize_t read(int fd, void *bytes, size_t count);
int dup2(int from, int to);
int open(const char *path, int flags, ...);
]])

describe("loop/poll", function()
  local loop, fds
  before_each(function()
    loop = M.loop()
    fds = ffi.new("int[2]")
    assert.equal(0, ffi.C.pipe(fds))
  end)
  after_each(function()
    loop.free()
    ffi.C.close(fds[0])
    ffi.C.close(fds[1])
  end)

  local function new(fd, probe)
    return loop.make("peri_poll", C.peri_poll_new, fd, C.peri_probe_ready, probe)
  end

  it("reports what was asked for, while it was asked for", function()
    local probe = loop.probe({ name = "p" })
    local poll = new(fds[0], probe)
    assert.equal(0, C.peri_poll_set(poll, C.PERI_POLL_READ))
    C.peri_loop_step(loop.ptr, 0)
    assert.equal(0, probe.calls)
    ffi.C.write(fds[1], "x", 1)
    C.peri_loop_step(loop.ptr, 1000)
    assert.equal(1, probe.calls)
    assert.equal(C.PERI_POLL_READ, probe.events)
    assert.equal(0, probe.code)
    assert.equal(0, C.peri_poll_set(poll, 0))
    C.peri_loop_step(loop.ptr, 0)
    assert.equal(1, probe.calls)
    C.peri_poll_free(poll)
  end)

  it("reports that writing is possible", function()
    local probe = loop.probe()
    local poll = new(fds[1], probe)
    C.peri_poll_set(poll, C.PERI_POLL_WRITE)
    C.peri_loop_step(loop.ptr, 1000)
    assert.equal(C.PERI_POLL_WRITE, probe.events)
    C.peri_poll_free(poll)
  end)

  it("can be freed in its own callback", function()
    local probe = loop.probe({ name = "p", action = C.PERI_PROBE_FREE_POLL })
    probe.target = new(fds[0], probe)
    C.peri_poll_set(probe.target, C.PERI_POLL_READ)
    ffi.C.write(fds[1], "x", 1)
    C.peri_loop_run(loop.ptr)
    assert.equal(1, probe.calls)
  end)

  it("lets the descriptor be closed and its number be used again at once", function()
    local old, new_probe = loop.probe({ name = "o" }), loop.probe({ name = "n" })
    local first = new(fds[0], old)
    C.peri_poll_set(first, C.PERI_POLL_READ)
    C.peri_loop_step(loop.ptr, 0)
    C.peri_poll_free(first)
    local number = fds[0]
    ffi.C.close(number)
    ffi.C.close(fds[1])
    assert.equal(0, ffi.C.pipe(fds))
    assert.equal(number, fds[0])
    local second = new(fds[0], new_probe)
    C.peri_poll_set(second, C.PERI_POLL_READ)
    ffi.C.write(fds[1], "x", 1)
    C.peri_loop_step(loop.ptr, 1000)
    assert.equal("n", loop.names())
    C.peri_poll_free(second)
    C.peri_poll_free(nil)
  end)

  it("refuses what cannot be polled", function()
    local fd = ffi.C.open("/etc/passwd", 0)
    local out = ffi.new("struct peri_poll *[1]")
    assert.is_true(C.peri_poll_new(loop.ptr, fd, C.peri_probe_ready, nil, out) < 0)
    assert.is_true(C.peri_poll_new(loop.ptr, 999, C.peri_probe_ready, nil, out) < 0)
    ffi.C.close(fd)
  end)
end)
