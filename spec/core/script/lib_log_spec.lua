local s = require("spec.core.script.support")

local logs = s.cffi.load({ "base/log.h" })
s.ffi.cdef([[int dup(int fd); int dup2(int from, int to); int close(int fd); int open(const char *path, int flags, ...);]])

describe("perigee.log", function()
  teardown(s.clean)

  --- What a VM writes to standard error while it runs `text`.
  local function said(text)
    local path = s.folder() .. "/log"
    s.write(path, "")
    local kept = s.ffi.C.dup(2)
    local file = s.ffi.C.open(path, 1)
    s.ffi.C.dup2(file, 2)
    local code, result = s.eval(s.vm(), "local log = require('perigee.log') " .. text)
    s.ffi.C.dup2(kept, 2)
    s.ffi.C.close(file)
    s.ffi.C.close(kept)
    assert.equal(0, code, result)
    local handle = assert(io.open(path))
    local lines = handle:read("*a")
    handle:close()
    return lines
  end

  it("says who speaks, at which level, in one line", function()
    local lines = said("log.warn('disk', 7, nil, 'a\\nb')")
    assert.matches("WARN +policy: picker spec: disk 7 nil a", lines)
    assert.equal(1, select(2, lines:gsub("\n", "")))
  end)

  it("keeps quiet below the level of the process", function()
    logs.peri_log_setup(logs.PERI_LOG_ERROR, logs.PERI_LOG_TEXT)
    assert.equal("", said("log.warn('x')"))
    assert.matches("ERROR", said("log.error('x')"))
    logs.peri_log_setup(logs.PERI_LOG_INFO, logs.PERI_LOG_TEXT)
    assert.equal("", said("log.debug('x')"))
    assert.matches("INFO", said("log.info('x')"))
  end)

  it("bounds what one policy says in a second", function()
    local lines = said("for i = 1, 1000 do log.info(i) end")
    local _, count = lines:gsub("\n", "")
    assert.is_true(count >= 50 and count <= 102, count)
  end)
end)
