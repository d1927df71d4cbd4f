local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/verbs.h", "base/status.h" })

local function explain(status, words)
  local text = ffi.new("char[512]")
  C.peri_cli_advise(status, words, "127.0.0.1:1", text, 512)
  return ffi.string(text)
end

describe("a call that failed", function()
  it("is explained with what to do", function()
    for _, words in ipairs({ "failed to connect to all addresses", "DNS resolution failed for x" }) do
      local text = explain(C.PERI_STATUS_UNAVAILABLE, words)
      assert.truthy(text:find("UNAVAILABLE from 127.0.0.1:1: " .. words, 1, true), text)
      assert.truthy(text:find("perigee serve", 1, true), text)
    end
    assert.truthy(explain(C.PERI_STATUS_DEADLINE_EXCEEDED, "late"):find("--timeout", 1, true))
    assert.truthy(explain(C.PERI_STATUS_UNIMPLEMENTED, "no"):find("app listener", 1, true))
  end)

  it("is explained by the sidecar's words alone where they are enough", function()
    assert.equal("NOT_FOUND from 127.0.0.1:1: no group x", explain(C.PERI_STATUS_NOT_FOUND, "no group x"))
    assert.truthy(#explain(C.PERI_STATUS_INTERNAL, "") > 20)
  end)

  it("does not blame the sidecar that answered for what lies behind it", function()
    for _, status in ipairs({ C.PERI_STATUS_UNAVAILABLE, C.PERI_STATUS_DEADLINE_EXCEEDED }) do
      local text = explain(status, "the fallback failed: ECONNECT: nobody there")
      assert.is_nil(text:find("\n", 1, true), text)
    end
    local text = explain(C.PERI_STATUS_UNAVAILABLE, "orders: 127.0.0.1:2: could not connect: Connection refused")
    assert.is_nil(text:find("\n", 1, true), text)
  end)

  it("is cut rather than overrun", function()
    assert.equal(511, #explain(C.PERI_STATUS_INTERNAL, ("x"):rep(2000)))
  end)
end)
