local M = require("spec.core.h2.rig")
local C, ffi = M.C, M.ffi

describe("h2/resolve", function()
  local rig
  before_each(function()
    rig = M.rig()
  end)
  after_each(function()
    rig.free()
  end)

  local function look_up(host, cancel)
    local result = ffi.new("struct rig_lookup")
    assert.equal(0, C.rig_resolve(rig.ptr, host, 1234, result, cancel or false))
    return result
  end

  it("finds every address of localhost, with the port", function()
    local result = look_up("localhost")
    assert.is_true(rig.until_true(function()
      return result.calls == 1
    end))
    assert.equal(0, result.code)
    assert.is_true(tonumber(result.resolved.count) >= 1)
    for i = 0, tonumber(result.resolved.count) - 1 do
      local address = result.resolved.addresses[i]
      assert.equal(1234, address.port)
      assert.is_true(ffi.string(address.host) == "127.0.0.1" or ffi.string(address.host) == "::1")
    end
  end)

  it("says when there is no such name", function()
    local result = look_up("no-such-host.invalid")
    assert.is_true(rig.until_true(function()
      return result.calls == 1
    end))
    assert.is_true(result.code < 0)
  end)

  it("says nothing once cancelled", function()
    local result = look_up("localhost", true)
    for _ = 1, 10 do
      rig.step()
    end
    assert.equal(0, result.calls)
  end)
end)
