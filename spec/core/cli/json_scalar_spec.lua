local codec = require("spec.core.cli.codec")

--- The value of one field there and back.
local function through(field, value)
  local bytes, why = codec.encode(('{"%s":%s}'):format(field, value))
  if not bytes then
    return nil, why
  end
  return codec.decode(bytes):match('^{"%w+":(.*)}$')
end

describe("single values", function()
  it("may be numbers or strings of digits, in their range", function()
    for _, case in ipairs({
      { "anInt32", "2147483647", "2147483647" }, { "anInt32", '"-2147483648"', "-2147483648" }, { "anInt32", "1e3", "1000" }, { "anInt32", "2147483648" },
      { "anInt32", "1.5" }, { "anInt32", '""' }, { "anInt32", '" 1"' }, { "anInt32", '"1x"' }, { "anInt32", "true" }, { "aUint32", "4294967295", "4294967295" },
      { "aUint32", "4294967296" }, { "aUint32", "-1" }, { "aUint64", "-1" }, { "aUint64", '"-1"' }, { "aUint64", '"18446744073709551616"' }, { "aUint64", "-1.0" },
      { "anInt64", '"9223372036854775808"' }, { "anInt64", "9223372036854775807", '"9223372036854775807"' }, { "anInt64", "1e19" },
      { "aSint32", "-2147483648", "-2147483648" }, { "aSint64", '"-9223372036854775808"', '"-9223372036854775808"' },
      { "aSfixed32", "-1", "-1" }, { "aSfixed64", "-1", '"-1"' }, { "aFixed64", "1", '"1"' },
    }) do
      assert.equal(case[3], (through(case[1], case[2])), case[1] .. " " .. case[2])
    end
  end)

  it("may be real", function()
    for _, case in ipairs({
      { "aDouble", "0.1", "0.10000000000000001" }, { "aDouble", "3", "3.0" }, { "aDouble", '"1e2"', "100.0" }, { "aDouble", '"NaN"', '"NaN"' },
      { "aDouble", '"Infinity"', '"Infinity"' }, { "aFloat", '"-Infinity"', '"-Infinity"' }, { "aFloat", "0.5", "0.5" }, { "aFloat", "1e39" },
      { "aDouble", '"x"' }, { "aDouble", '""' }, { "aDouble", '"nan"' }, { "aDouble", "true" }, { "aFloat", "16777217", "16777216.0" },
    }) do
      assert.equal(case[3], (through(case[1], case[2])), case[1] .. " " .. case[2])
    end
  end)

  it("may be true or false, names of enums, and bytes", function()
    for _, case in ipairs({
      { "aBool", "true", "true" }, { "aBool", "1" }, { "aBool", '"true"' }, { "colour", '"RED"', '"RED"' }, { "colour", "-2", '"BLUE"' },
      { "colour", "9", "9" }, { "colour", '"red"' }, { "someBytes", '""', '""' }, { "someBytes", '"/-8"', '"/+8="' }, { "someBytes", '"_w=="', '"/w=="' },
      { "someBytes", '"A"' }, { "someBytes", '"A*=="' },
    }) do
      assert.equal(case[3], (through(case[1], case[2])), case[1] .. " " .. case[2])
    end
  end)
end)
