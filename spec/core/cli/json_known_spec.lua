local codec = require("spec.core.cli.codec")

local function through(field, value)
  local bytes = codec.encode(('{"%s":"%s"}'):format(field, value))
  return bytes and codec.decode(bytes):match('^{"%w+":"(.*)"}$')
end

describe("well-known types", function()
  it("are times", function()
    for _, case in ipairs({
      { "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z" }, { "2024-02-29t23:59:59.123456789z", "2024-02-29T23:59:59.123456789Z" },
      { "2026-01-31T12:00:00.5+01:30", "2026-01-31T10:30:00.500Z" }, { "2026-01-31T12:00:00.000001-00:30", "2026-01-31T12:30:00.000001Z" },
      { "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z" }, { "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z" },
      { "2023-02-29T00:00:00Z" }, { "2023-13-01T00:00:00Z" }, { "2023-01-01T24:00:00Z" }, { "2023-01-01T00:00:60Z" }, { "2023-01-01" },
      { "2023-01-01T00:00:00" }, { "2023-01-01T00:00:00.Z" }, { "2023-01-01T00:00:00.1234567890Z" }, { "2023-01-01T00:00:00+1:00" },
      { "2023-01-01T00:00:00Zx" }, { "9999-12-31T23:59:59-01:00" }, { "" },
    }) do
      assert.equal(case[2], through("at", case[1]), case[1])
    end
  end)

  it("are durations", function()
    for _, case in ipairs({
      { "0s", "0s" }, { "1.5s", "1.500s" }, { "-0.000000001s", "-0.000000001s" }, { "315576000000s", "315576000000s" },
      { "315576000001s" }, { "1" }, { "s" }, { "1.s" }, { "--1s" }, { "+1s" }, { "1m" }, { "" }, { "99999999999999999999s" },
    }) do
      assert.equal(case[2], through("lasting", case[1]), case[1])
    end
  end)
end)
