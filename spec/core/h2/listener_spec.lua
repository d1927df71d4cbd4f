local M = require("spec.core.h2.rig")
local cffi = require("spec.support.ffi")
local C, ffi = M.C, M.ffi

ffi.cdef([[
struct rlimit_ { unsigned long now, most; };
int getrlimit(int what, struct rlimit_ *limit);
int setrlimit(int what, const struct rlimit_ *limit);
]])

describe("h2/listener", function()
  local rig, problem
  before_each(function()
    rig, problem = M.rig(), ffi.new("struct peri_problem")
  end)
  after_each(function()
    rig.free()
  end)

  local function bind(text, fd)
    local address = ffi.new("struct peri_address")
    assert.equal(0, C.peri_address_parse(cffi.slice(text), address))
    local out = ffi.new("struct peri_listener *[1]")
    return C.peri_listener_bind(address, fd or -1, out, problem), out[0]
  end

  local function socket_path()
    local path = os.tmpname()
    os.remove(path)
    return path
  end

  it("reports the port it chose", function()
    local address = rig.listen("127.0.0.1:0")
    assert.is_true(tonumber(address:match(":(%d+)$")) > 0)
    assert.is_truthy(rig.listen)
  end)

  it("takes localhost and IPv6, and no other name", function()
    local rc, listener = bind("localhost:0")
    assert.equal(0, rc)
    assert.equal("127.0.0.1", ffi.string(C.peri_listener_address(listener).host))
    C.peri_listener_free(listener)
    assert.equal(C.PERI_EINVAL, (bind("host.example:0")))
    assert.is_truthy(ffi.string(problem.text):find("host.example", 1, true))
  end)

  it("says which port is in use", function()
    local address = rig.listen("127.0.0.1:0")
    local rc = bind(address)
    assert.is_true(rc < 0)
    assert.equal("port " .. address:match("%d+$") .. " on 127.0.0.1 is in use", ffi.string(problem.text))
  end)

  it("replaces a stale Unix socket, never a live one or another file", function()
    local path = socket_path()
    local rc, listener = bind("unix:" .. path)
    assert.equal(0, rc)
    assert.equal(C.PERI_EEXIST, (bind("unix:" .. path)))
    assert.is_truthy(ffi.string(problem.text):find("already listens", 1, true))
    C.peri_listener_free(listener)
    local file = assert(io.open(path, "w"))
    file:close()
    assert.equal(C.PERI_EEXIST, (bind("unix:" .. path)))
    assert.is_truthy(ffi.string(problem.text):find("not a socket", 1, true))
    os.remove(path)
    assert.equal(0, C.rig_stale(path))
    rc, listener = bind("unix:" .. path)
    assert.equal(0, rc)
    C.peri_listener_free(listener)
    assert.is_nil(io.open(path))
  end)

  it("takes an inherited socket, and nothing else", function()
    local port = ffi.new("uint16_t[1]")
    local rc, listener = bind("127.0.0.1:1", C.rig_mute(port))
    assert.equal(0, rc)
    assert.equal(port[0], C.peri_listener_address(listener).port)
    C.peri_listener_free(listener)
    assert.equal(C.PERI_EINVAL, (bind("127.0.0.1:1", 0)))
  end)

  it("turns connections away when descriptors run out, and recovers", function()
    rig.listen()
    assert.equal(0, rig.fetch("/echo")["end"].code)
    local limit = ffi.new("struct rlimit_")
    local old = ffi.new("struct rlimit_")
    local nofile = 7
    ffi.C.getrlimit(nofile, old)
    local peer = rig.connect()
    -- No descriptor may be made from here on.
    local probe = ffi.C.dup(0)
    ffi.C.close(probe)
    limit.now, limit.most = probe, old.most
    ffi.C.setrlimit(nofile, limit)
    local refused = rig.until_true(function()
      return rig.ptr.refused == 1
    end)
    ffi.C.setrlimit(nofile, old)
    assert.is_true(refused)
    assert.is_true(peer.wait_closed())
    assert.equal(0, rig.fetch("/echo")["end"].code)
  end)
end)
