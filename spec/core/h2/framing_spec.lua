local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "h2/framing.h", "h2/framing_shim.h" })

local function buffer()
  return ffi.gc(ffi.new("struct peri_buffer"), C.peri_buffer_done)
end

local function held(buf)
  return cffi.string(C.peri_buffer_slice(buf))
end

--- Feeds `bytes` split after `first` and then every `step` bytes.
local function run(bytes, options)
  options = options or {}
  local out = buffer()
  local slice = cffi.slice(bytes)
  local result = C.shim_framing_run(slice, options.first or #bytes, options.step or #bytes, options.limit or 1000, options.keep or false, out)
  return result, held(out)
end

describe("h2/framing messages", function()
  local three = frames.message("hello") .. frames.message("", 1) .. frames.message("a\0b\255")
  local expected = "0:hello;1:;0:a\0b\255;"

  it("come whole and without a copy out of one piece", function()
    local result, text = run(three)
    assert.equal(0, result.code)
    assert.equal(expected, text)
    assert.equal(3, result.messages)
    assert.equal(3, result.direct)
    assert.is_false(result.partial)
    assert.equal(0, tonumber(result.held_bytes))
  end)

  it("come the same for every split in two", function()
    for first = 1, #three - 1 do
      for _, keep in ipairs({ false, true }) do
        local result, text = run(three, { first = first, keep = keep })
        assert.equal(0, result.code)
        assert.equal(expected, text, "split after " .. first)
        assert.is_false(result.partial)
      end
    end
  end)

  it("come the same in pieces of every size", function()
    for step = 1, #three do
      local result, text = run(three, { first = step, step = step, keep = step % 2 == 0 })
      assert.equal(0, result.code)
      assert.equal(expected, text)
    end
  end)

  it("are known to be unfinished at every byte but the last", function()
    local whole = frames.message("hello")
    for len = 1, #whole - 1 do
      assert.is_true(run(whole:sub(1, len)).partial)
    end
    assert.is_false(run(whole).partial)
    assert.is_false(run("").partial)
  end)

  it("are limited in size, as soon as the size is known", function()
    assert.equal(0, run(frames.message(("x"):rep(1000))).code)
    local result = run(frames.message(("x"):rep(1001)):sub(1, 5))
    assert.equal(C.PERI_ELIMIT, result.code)
    assert.equal(0, result.messages)
    assert.equal(C.PERI_ELIMIT, run("\0\255\255\255\255", { first = 1, step = 1 }).code)
    assert.equal(0, run(frames.message(""), { limit = 0 }).code)
  end)

  it("take no memory for what is only announced", function()
    local result = run("\0\127\255\255\255" .. "abc", { limit = 0x7fffffff })
    assert.equal(0, result.code)
    assert.is_true(result.partial)
    assert.is_true(tonumber(result.held_bytes) < 1000)
  end)

  it("must have a flag of 0 or 1", function()
    for flag = 2, 255, 23 do
      local result = run(string.char(flag))
      assert.equal(C.PERI_EPROTO, result.code)
    end
    local result, text = run(frames.message("ok") .. "\2")
    assert.equal(C.PERI_EPROTO, result.code)
    assert.equal("0:ok;", text)
  end)

  it("stop when their reader says so", function()
    local result, text = run(frames.message("a") .. frames.message("stop") .. frames.message("b"))
    assert.equal(7, result.code)
    assert.equal("0:a;", text)
  end)

  it("begin with five bytes", function()
    local prefix = ffi.new("char[5]")
    C.peri_framing_prefix(false, 0x01020304, prefix)
    assert.equal("\0\1\2\3\4", ffi.string(prefix, 5))
    C.peri_framing_prefix(true, 0xfffefdfc, prefix)
    assert.equal("\1\255\254\253\252", ffi.string(prefix, 5))
  end)
end)

describe("h2/framing compression", function()
  local function deflate(bytes, gzip)
    local out = buffer()
    assert.equal(0, C.shim_framing_deflate(cffi.slice(bytes), gzip, out))
    return held(out)
  end

  local function gunzip(bytes, limit)
    local out = buffer()
    return C.peri_framing_gunzip(cffi.slice(bytes), limit or 100000, out), out
  end

  it("is undone for gzip and for zlib", function()
    for _, gzip in ipairs({ true, false }) do
      for _, text in ipairs({ "", "x", ("hello "):rep(5000) }) do
        local rc, out = gunzip(deflate(text, gzip))
        assert.equal(0, rc)
        assert.equal(text, held(out))
      end
    end
  end)

  it("stops bombs at the limit", function()
    local bomb = deflate(("\0"):rep(20 * 1024 * 1024), true)
    assert.is_true(#bomb < 50000)
    local rc, out = gunzip(bomb, 100000)
    assert.equal(C.PERI_ELIMIT, rc)
    assert.is_true(tonumber(out.cap) <= 262144)
    local edge = deflate(("y"):rep(100000), true)
    assert.equal(0, (gunzip(edge, 100000)))
    assert.equal(C.PERI_ELIMIT, (gunzip(edge, 99999)))
    assert.equal(C.PERI_ELIMIT, (gunzip(deflate("y", true), 0)))
    assert.equal(0, (gunzip(deflate("", true), 0)))
  end)

  it("refuses what is damaged, cut short or followed by more", function()
    local whole = deflate(("hello "):rep(100), true)
    for len = 0, #whole - 1 do
      assert.equal(C.PERI_EPROTO, (gunzip(whole:sub(1, len))), "cut after " .. len)
    end
    assert.equal(C.PERI_EPROTO, (gunzip(whole .. "x")))
    assert.equal(C.PERI_EPROTO, (gunzip("garbage that is no gzip")))
    assert.equal(C.PERI_EPROTO, (gunzip("\31\139garbage")))
    assert.equal(C.PERI_EPROTO, (gunzip(whole:sub(1, -2) .. "\255")))
  end)
end)

describe("h2/framing timeouts", function()
  local ns = ffi.new("uint64_t[1]")

  local function parse(text)
    ns[0] = 77
    return C.peri_framing_timeout_parse(cffi.slice(text), ns), tonumber(ns[0])
  end

  it("are read in every unit", function()
    for text, want in pairs({
      ["1n"] = 1, ["0n"] = 0, ["99999999n"] = 99999999, ["5u"] = 5000, ["100m"] = 1e8, ["2S"] = 2e9,
      ["3M"] = 180e9, ["1H"] = 3600e9, ["00000001S"] = 1e9, ["2562047H"] = 2562047 * 3600e9,
    }) do
      local rc, got = parse(text)
      assert.equal(0, rc, text)
      assert.equal(want, got, text)
    end
  end)

  it("that nobody lives to see become the longest", function()
    assert.equal(0, (parse("99999999H")))
    assert.is_true(ns[0] == 0x7fffffffffffffffULL)
  end)

  it("that are not timeouts are refused", function()
    for _, text in ipairs({ "", "1", "S", "1s", "1.5S", "-1S", "+1S", " 1S", "1S ", "1 S", "123456789S", "1SS", "0x1S", "1h", "1\0S" }) do
      local rc, got = parse(text)
      assert.equal(C.PERI_EINVAL, rc, text)
      assert.equal(77, got)
    end
  end)

  local function format(value)
    local text = ffi.new("char[16]")
    C.peri_framing_timeout_format(value, text)
    return ffi.string(text)
  end

  it("are written in the finest unit that fits, rounded up", function()
    assert.equal("0n", format(0))
    assert.equal("99999999n", format(99999999))
    assert.equal("100000u", format(100000000))
    assert.equal("100001u", format(100000001))
    assert.equal("1000000u", format(1e9))
    assert.equal("99999999u", format(99999999000))
    assert.equal("100000m", format(99999999001))
    assert.equal("100000S", format(100000 * 1000000000ULL))
    assert.equal("5124096H", format(0xffffffffffffffffULL))
  end)

  it("come back as they went, or a little longer", function()
    for exponent = 0, 62 do
      local value = 2ULL ^ exponent + 1
      local rc = C.peri_framing_timeout_parse(cffi.slice(format(value)), ns)
      assert.equal(0, rc)
      assert.is_true(ns[0] >= value or ns[0] == 0x7fffffffffffffffULL)
    end
  end)
end)

describe("h2/framing statuses", function()
  it("are read as numbers of at most three digits", function()
    for text, number in pairs({ ["0"] = 0, ["14"] = 14, ["007"] = 7, ["999"] = 999, [""] = -1, ["1000"] = -1, ["-1"] = -1, ["1x"] = -1, [" 1"] = -1 }) do
      assert.equal(number, C.peri_framing_status_read(cffi.slice(text)), text)
    end
  end)

  it("follow gRPC's table for HTTP/2 errors", function()
    local table_of = {
      [0] = 13, [1] = 13, [2] = 13, [3] = 13, [4] = 13, [5] = 2, [6] = 13, [7] = 14, [8] = 1, [9] = 13, [10] = 13,
      [11] = 8, [12] = 7, [13] = 2, [0xffffffff] = 2,
    }
    for code, status in pairs(table_of) do
      assert.equal(status, C.peri_framing_status_of_h2(code), "error " .. code)
    end
  end)

  it("follow gRPC's table for HTTP statuses", function()
    local table_of = {
      [400] = 13, [401] = 16, [403] = 7, [404] = 12, [429] = 14, [502] = 14, [503] = 14, [504] = 14,
      [200] = 2, [415] = 2, [500] = 2, [0] = 2,
    }
    for code, status in pairs(table_of) do
      assert.equal(status, C.peri_framing_status_of_http(code), "HTTP " .. code)
    end
  end)
end)
