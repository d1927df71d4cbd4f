local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/inherit.h" })

ffi.cdef([[
int setenv(const char *name, const char *value, int overwrite);
int unsetenv(const char *name);
int getpid(void);
]])

describe("sockets inherited from systemd", function()
  local function with(pid, count, names)
    ffi.C.setenv("LISTEN_PID", tostring(pid), 1)
    ffi.C.setenv("LISTEN_FDS", tostring(count), 1)
    ffi.C.setenv("LISTEN_FDNAMES", names, 1)
  end

  after_each(function()
    for _, name in ipairs({ "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES" }) do
      ffi.C.unsetenv(name)
    end
  end)

  it("are found by name, from descriptor 3 on", function()
    local pid = ffi.C.getpid()
    with(pid, 1, "app")
    -- Whether descriptor 3 is open here does not matter: only 3 can be meant.
    local fd = C.peri_inherit_find("app")
    assert.is_true(fd == 3 or fd == -1)
    assert.equal(-1, C.peri_inherit_find("mesh"))
    assert.equal(-1, C.peri_inherit_find("ap"))
  end)

  it("are told of when their names say nothing", function()
    local name = ffi.new("struct peri_slice")
    local function stray(names, count)
      with(ffi.C.getpid(), count or 1, names)
      return C.peri_inherit_stray(name) and ffi.string(name.ptr, name.len)
    end
    assert.is_false(C.peri_inherit_stray(name))
    assert.is_false(stray("app:mesh:admin", 3))
    assert.equal("perigee.socket", stray("app:perigee.socket", 2))
    assert.is_false(stray("app:perigee.socket", 1))
    assert.equal("", stray("app", 2))
  end)

  it("are not taken from other processes, or when there are none", function()
    assert.equal(-1, C.peri_inherit_find("app"))
    with(1, 1, "app")
    assert.equal(-1, C.peri_inherit_find("app"))
    with(ffi.C.getpid(), 0, "app")
    assert.equal(-1, C.peri_inherit_find("app"))
    with(ffi.C.getpid(), "many", "app")
    assert.equal(-1, C.peri_inherit_find("app"))
    with(ffi.C.getpid(), 2, "mesh")
    assert.equal(-1, C.peri_inherit_find("app"))
  end)
end)
