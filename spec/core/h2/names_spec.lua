local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "h2/names.h" })

describe("h2/names", function()
  local function lasting(name)
    local bytes = ffi.new("char[?]", #name + 1, name)
    local slice = ffi.new("struct peri_slice", { ptr = bytes, len = #name })
    local found = C.peri_h2_name_lasting(slice)
    if found == nil then
      return nil
    end
    assert.is_true(found ~= ffi.cast("const char *", bytes))
    return ffi.string(found, #name)
  end

  local known = {
    ":method",
    ":scheme",
    ":path",
    ":authority",
    ":status",
    "te",
    "user-agent",
    "content-type",
    "grpc-timeout",
    "grpc-encoding",
    "grpc-accept-encoding",
    "grpc-status",
    "grpc-message",
    "perigee-hop",
    "perigee-service",
  }

  it("knows what nearly every call has", function()
    for _, name in ipairs(known) do
      assert.equal(name, lasting(name))
    end
  end)

  it("takes nothing else for one of them", function()
    for _, name in ipairs(known) do
      for i = 1, #name do
        assert.is_nil(lasting(name:sub(1, i - 1) .. "~" .. name:sub(i + 1)))
      end
      assert.is_nil(lasting(name .. "x"))
    end
    for length = 0, 40 do
      assert.is_nil(lasting(("x"):rep(length)))
    end
  end)
end)
