local M = require("spec.core.registry.directory_support")
local C = M.C

describe("a directory's table", function()
  it("finds each of many keys", function()
    local dir, list = M.new(), {}
    for i = 1, 3000 do
      list[i] = ("h%d:1"):format(i)
    end
    dir.load(list)
    assert.equal(3000, dir.keys())
    for i = 1, 3000 do
      local _, mod = dir.find(list[i])
      assert.equal(10 + i, mod)
    end
    assert.is_nil(dir.find("h0:1"))
    assert.is_nil(dir.find("h3001:1"))
  end)

  it("loses none while others go", function()
    local dir, there = M.new(), {}
    math.randomseed(3)
    for _ = 1, 5000 do
      local address = ("h%d:1"):format(math.random(200))
      if there[address] then
        dir.delete(address)
      else
        dir.put(address)
      end
      there[address] = not there[address]
      dir.wait(0.1)
    end
    local count = 0
    for address, is in pairs(there) do
      assert.equal(is, dir.find(address) ~= nil)
      count = count + (is and 1 or 0)
    end
    assert.equal(count, dir.keys())
  end)

  it("tells keys apart that differ by a byte, or in length only", function()
    local dir = M.new()
    for i, key in ipairs({ "", "\0", "\0\0", "a", "a\0", "b" }) do
      dir.put("h" .. i .. ":1", { key = key })
    end
    assert.equal(6, dir.keys())
    dir.delete("a")
    assert.is_nil(dir.find("a"))
    assert.is_truthy(dir.find("a\0"))
    assert.equal("h1:1 h2:1 h3:1 h5:1 h6:1", dir.shown())
    assert.equal(0, tonumber(C.peri_directory_suspects(dir.ptr)))
  end)
end)
