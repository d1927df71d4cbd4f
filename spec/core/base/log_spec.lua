local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/log.h" })

ffi.cdef([[
int pipe(int fds[2]);
int dup(int fd);
int dup2(int fd, int other);
int close(int fd);
ssize_t read(int fd, void *bytes, size_t count);
int fcntl(int fd, int command, ...);
]])

local F_SETPIPE_SZ = 1031

--- What `action` writes to standard error.
local function captured(action)
  local fds = ffi.new("int[2]")
  assert.equal(0, ffi.C.pipe(fds))
  local kept = ffi.C.dup(2)
  ffi.C.dup2(fds[1], 2)
  ffi.C.close(fds[1])
  local ok, err = pcall(action)
  ffi.C.dup2(kept, 2)
  ffi.C.close(kept)
  local room = ffi.new("char[65536]")
  local pieces = {}
  while true do
    local got = tonumber(ffi.C.read(fds[0], room, 65536))
    if got <= 0 then
      break
    end
    pieces[#pieces + 1] = ffi.string(room, got)
  end
  ffi.C.close(fds[0])
  assert(ok, err)
  return table.concat(pieces)
end

local function logged(format, level, text)
  return captured(function()
    C.peri_log_setup(C.PERI_LOG_DEBUG, format)
    C.peri_log(level, "app", "%s", text)
  end)
end

describe("base/log", function()
  after_each(function()
    C.peri_log_setup(C.PERI_LOG_INFO, C.PERI_LOG_TEXT)
  end)

  it("writes a line of text", function()
    local line = logged(C.PERI_LOG_TEXT, C.PERI_LOG_INFO, "ready, ü")
    assert.truthy(line:match("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ INFO  app: ready, ü\n$"), line)
    assert.truthy(logged(C.PERI_LOG_TEXT, C.PERI_LOG_ERROR, "x"):match("Z ERROR app: x\n$"))
    assert.truthy(logged(C.PERI_LOG_TEXT, C.PERI_LOG_WARN, "x"):match("Z WARN  app: x\n$"))
    assert.truthy(logged(C.PERI_LOG_TEXT, C.PERI_LOG_DEBUG, "x"):match("Z DEBUG app: x\n$"))
  end)

  it("writes a line of JSON", function()
    local line = logged(C.PERI_LOG_JSON, C.PERI_LOG_WARN, 'say "hi" \\ \n\1\xFFü')
    assert.truthy(line:match('^{"time":"%d%d%d%d%-[^"]+Z","level":"warn","room":"app","message":'))
    assert.truthy(line:find('"message":"say \\"hi\\" \\\\ \\n\\u0001\\ufffdü"}\n', 1, true), line)
  end)

  it("lets nobody forge a line or a terminal's escapes", function()
    local line = logged(C.PERI_LOG_TEXT, C.PERI_LOG_INFO, "a\nb\r\t\27[31m\127\xC2\x9B\xFF")
    assert.truthy(line:find("app: a\\nb\\r\\t\\x1b[31m\\x7f\\u009b\\xff\n", 1, true), line)
    assert.equal(1, select(2, line:gsub("\n", "")))
  end)

  it("cuts lines at 4 KiB and still ends them", function()
    for _, filler in ipairs({ "x", "ü", "\n" }) do
      local text = logged(C.PERI_LOG_TEXT, C.PERI_LOG_INFO, filler:rep(9000))
      assert.is_true(#text <= 4096 and #text > 4000, tostring(#text))
      assert.equal("\n", text:sub(-1))
      local json = logged(C.PERI_LOG_JSON, C.PERI_LOG_INFO, filler:rep(9000))
      assert.is_true(#json <= 4096 and #json > 4000, tostring(#json))
      assert.equal('"}\n', json:sub(-3))
    end
  end)

  it("never waits long for a reader, and says what it dropped", function()
    local fds = ffi.new("int[2]")
    assert.equal(0, ffi.C.pipe(fds))
    assert.truthy(ffi.C.fcntl(fds[1], F_SETPIPE_SZ, ffi.new("int", 4096)) >= 4096)
    local kept = ffi.C.dup(2)
    ffi.C.dup2(fds[1], 2)
    ffi.C.close(fds[1])
    local long = ("x"):rep(3000)
    for i = 1, 20 do
      C.peri_log(C.PERI_LOG_WARN, "app", "%s", i .. long)
    end
    local room = ffi.new("char[65536]")
    local first = ffi.string(room, tonumber(ffi.C.read(fds[0], room, 65536)))
    C.peri_log(C.PERI_LOG_WARN, "app", "%s", "again")
    local second = ffi.string(room, tonumber(ffi.C.read(fds[0], room, 65536)))
    C.peri_log(C.PERI_LOG_WARN, "app", "%s", "at last")
    ffi.C.dup2(kept, 2)
    ffi.C.close(kept)
    ffi.C.close(fds[0])
    assert.equal(1, select(2, first:gsub("\n", "")))
    assert.truthy(first:find("app: 1xxx", 1, true))
    assert.truthy(second:find("WARN  log: 19 lines were dropped", 1, true), second)
  end)

  it("keeps quiet below the level", function()
    assert.equal(
      "",
      captured(function()
        C.peri_log_setup(C.PERI_LOG_WARN, C.PERI_LOG_TEXT)
        C.peri_log(C.PERI_LOG_INFO, "app", "x")
      end)
    )
    assert.is_false(C.peri_log_enabled(C.PERI_LOG_INFO))
    assert.is_true(C.peri_log_enabled(C.PERI_LOG_WARN))
    assert.is_true(C.peri_log_enabled(C.PERI_LOG_ERROR))
  end)

  it("opens a gate once in a while and tells what it held back", function()
    local gate = ffi.new("struct peri_log_gate")
    local held = ffi.new("uint64_t[1]", 99)
    assert.is_true(C.peri_log_gate_open(gate, 5, 10, held))
    assert.equal(0, tonumber(held[0]))
    held[0] = 99
    assert.is_false(C.peri_log_gate_open(gate, 6, 10, held))
    assert.is_false(C.peri_log_gate_open(gate, 10000004, 10, held))
    assert.equal(99, tonumber(held[0]))
    assert.is_true(C.peri_log_gate_open(gate, 10000005, 10, held))
    assert.equal(2, tonumber(held[0]))
    assert.is_true(C.peri_log_gate_open(gate, 20000005, 10, held))
    assert.equal(0, tonumber(held[0]))
  end)
end)
