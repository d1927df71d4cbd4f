local support = require("spec.plugins.support")

describe("the picker ring_crc32", function()
  local script
  before_each(function()
    script = support.script()
  end)
  after_each(function()
    script:close()
    support.s.clean()
  end)

  it("agrees with golang/groupcache about owners", function()
    local owner = support.picker(script, "ring_crc32", "{}", { "127.0.0.1:9999", "127.0.0.1:10000", "127.0.0.1:10001" })
    for key, port in pairs({ Tom = 10000, Jack = 9999, Sam = 10000, ["李四"] = 10001, ["user:42"] = 10000 }) do
      assert.equal("127.0.0.1:" .. port, owner(key), key)
    end
  end)

  it("refuses replicas that are none", function()
    for _, options in ipairs({ '{"replicas":0}', '{"replicas":1.5}', '{"replicas":70000}', '{"replcias":5}' }) do
      local picker, code = script:picker("ring_crc32", options)
      assert.is_nil(picker)
      assert.equal(support.s.ECONFIG, code)
    end
  end)

  it("honours weights", function()
    local owner = support.picker(script, "ring_crc32", "{}", { "10.0.0.1:1", "10.0.0.2:1" }, { 1, 3 })
    local shares = support.shares(owner, 4000)
    -- CRC-32 spreads addresses that differ in one digit badly.
    assert.is_true(shares["10.0.0.2:1"] > 1.5 * shares["10.0.0.1:1"])
  end)

  it("has the same owners on every node, and survives the departure of all peers", function()
    support.check_picker(script, "ring_crc32")
  end)
end)
