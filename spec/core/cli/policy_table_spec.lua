local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "cli/policy_table.h" })

--- A message of numbered fields: texts, numbers, and lists of either.
local function message(fields)
  local function varint(value)
    local bytes = ""
    while value >= 128 do
      bytes = bytes .. string.char(value % 128 + 128)
      value = math.floor(value / 128)
    end
    return bytes .. string.char(value)
  end
  local numbers, bytes = {}, ""
  for number in pairs(fields) do
    numbers[#numbers + 1] = number
  end
  table.sort(numbers)
  for _, number in ipairs(numbers) do
    local values = type(fields[number]) == "table" and fields[number] or { fields[number] }
    for _, value in ipairs(values) do
      if type(value) == "number" then
        bytes = bytes .. varint(number * 8) .. varint(value)
      else
        bytes = bytes .. varint(number * 8 + 2) .. varint(#value) .. value
      end
    end
  end
  return bytes
end

local function shown(bytes)
  local text = ffi.new("struct peri_buffer")
  local rc = C.peri_cli_policy_table(cffi.slice(bytes), text)
  local got = text.len > 0 and ffi.string(text.ptr, text.len) or ""
  C.peri_buffer_done(text)
  return rc == 0 and got or rc
end

describe("the table of policies", function()
  it("shows what runs", function()
    assert.equal(
      [[
KIND      NAME   VERSION  STATE    CALLS  ERRORS  MEMORY  FILE
balancer  cheap  3        running  1204   2       212KiB  /p/balancer/cheap.lua
picker    maps   1        running  0      0       12MiB   /p/picker/maps.lua
]],
      shown(message({
        [1] = {
          message({ "balancer", "cheap", "/p/balancer/cheap.lua", 3, 2, 1204, 2, 212 * 1024, 4, 2 }),
          message({ "picker", "maps", "/p/picker/maps.lua", 1, [8] = 12 * 1024 * 1024 }),
        },
      }))
    )
  end)

  it("says why one is off, refused or rolled back, and what of the configuration is", function()
    local got = shown(message({
      [1] = {
        message({ "picker", "a", "/a.lua", 3, [8] = 1, [10] = 2, [11] = 1, [12] = 24100, [13] = "a.lua:9: no peer\ntraceback" }),
        message({ "picker", "b", "/b.lua", 2, [14] = "b.lua:1: '=' expected\n" }),
        message({ "picker", "c", "/c.lua", 4, 5 }),
        message({ "picker", "d", "/d.lua", 1, [11] = 2, [10] = 2, [12] = 1, [14] = "d" }),
      },
      [2] = "perigee.lua:1: no",
    }))
    for _, line in ipairs({
      "picker  a     3        off for 25s               0      0       1KiB    /a.lua",
      "picker  b     2        edit refused              0      0       0KiB    /b.lua",
      "picker  d     1        off for 1s, edit refused  0      0       0KiB    /d.lua",
      "picker a: switched off on 1 of 2 workers, tried again within 25s: a.lua:9: no peer\n  traceback",
      "picker b: the last edit is refused, version 2 stays: b.lua:1: '=' expected",
      "picker c: rolled back from version 5",
      "picker d: the last edit is refused, version 1 stays: d",
      "picker d: switched off on 2 of 2 workers, tried again within 1s",
      "the configuration's last edit is refused: perigee.lua:1: no",
    }) do
      assert.truthy(got:find("\n" .. line .. "\n", 1, true), got)
    end
  end)

  it("says when there is nothing, and refuses what is no answer", function()
    assert.equal("no policy is in use\n", shown(""))
    assert.equal(C.PERI_EPROTO, shown("\255"))
  end)

  it("does not let texts drive a terminal", function()
    local got = shown(message({ [1] = { message({ "a\27[31m", "b\n", "c\127", 1, [14] = "d\27[31m\r" }) } }))
    assert.is_nil(got:find("[\27\127\r]"), got)
    assert.truthy(got:find("a?[31m", 1, true), got)
  end)

  it("shows changes", function()
    local text, refused = ffi.new("struct peri_buffer"), ffi.new("bool[1]")
    local function changes(bytes)
      assert.equal(0, C.peri_cli_policy_changes(cffi.slice(bytes), text, refused))
      local got = ffi.string(text.ptr, text.len)
      C.peri_buffer_done(text)
      return got
    end
    assert.equal("nothing has changed\n", changes(""))
    assert.is_false(refused[0])
    assert.equal("picker a: version 3 runs, before it 2\n", changes(message({ [1] = { message({ "picker", "a", 2, 3 }) } })))
    assert.is_false(refused[0])
    assert.equal(
      "picker a: refused, version 2 stays: why\n  at b\n",
      changes(message({ [1] = { message({ "picker", "a", 2, 2, "why\nat b" }) } }))
    )
    assert.is_true(refused[0])
    assert.equal(C.PERI_EPROTO, C.peri_cli_policy_changes(cffi.slice("\255"), text, refused))
  end)
end)
