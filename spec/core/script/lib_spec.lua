local s = require("spec.core.script.support")
local C, ffi = s.C, s.ffi

describe("the library table", function()
  it("knows the C modules and no others", function()
    for _, name in ipairs({ "clock", "file", "hash", "http", "json", "log", "metrics", "policy", "random", "ring" }) do
      assert.is_true(C.peri_lib_find("perigee." .. name) ~= nil, name)
    end
    for _, name in ipairs({ "", "perigee", "perigee.", "perigee.nothing", "policy" }) do
      assert.is_true(C.peri_lib_find(name) == nil, name)
    end
  end)

  it("shares objects by slot", function()
    local share = C.peri_share_new()
    assert.is_true(C.peri_share_get(share, C.PERI_SHARE_HTTP) == nil)
    local object = ffi.C.malloc(8)
    C.peri_share_put(share, C.PERI_SHARE_HTTP, object, ffi.C.free)
    assert.is_true(C.peri_share_get(share, C.PERI_SHARE_HTTP) == object)
    assert.is_true(C.peri_share_get(share, C.PERI_SHARE_FILE) == nil)
    assert.is_true(C.peri_share_get(nil, C.PERI_SHARE_FILE) == nil)
    C.peri_share_free(share)
    C.peri_share_free(nil)
  end)
end)
