local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/text.h", "base/error.h" })

local function duration(text)
  local ns = ffi.new("int64_t[1]", -1)
  local rc = C.peri_text_duration(cffi.slice(text), ns)
  return rc, tonumber(ns[0])
end

local function size(text)
  local bytes = ffi.new("uint64_t[1]", 77)
  local rc = C.peri_text_size(cffi.slice(text), bytes)
  return rc, tonumber(bytes[0])
end

local function nearest(word, words)
  local list = ffi.new("const char *[?]", #words, words)
  local found = C.peri_text_nearest(word, list, #words)
  return found ~= nil and ffi.string(found) or nil
end

local function run(convert, text, capacity)
  local room = ffi.new("char[?]", capacity + 1)
  room[capacity] = 42
  local len = tonumber(convert(cffi.slice(text), room, capacity))
  assert.equal(42, room[capacity])
  if capacity > 0 then
    assert.equal(0, room[len])
  end
  return ffi.string(room, len)
end

local function encode(text, capacity)
  return run(C.peri_text_percent_encode, text, capacity or 1000)
end

local function decode(text, capacity)
  return run(C.peri_text_percent_decode, text, capacity or 1000)
end

describe("base/text durations", function()
  it("reads each unit", function()
    for text, ns in pairs({
      ["0"] = 0,
      ["0s"] = 0,
      ["7ns"] = 7,
      ["10us"] = 10e3,
      ["250ms"] = 250e6,
      ["2s"] = 2e9,
      ["5m"] = 300e9,
      ["1h"] = 3600e9,
      ["3d"] = 259200e9,
      ["1.5s"] = 1.5e9,
      ["0.25h"] = 900e9,
      ["1.0000000019s"] = 1000000001,
    }) do
      local rc, got = duration(text)
      assert.equal(0, rc, text)
      assert.equal(ns, got, text)
    end
    assert.equal(0, (duration("106751d")))
  end)

  it("refuses everything else and leaves the output alone", function()
    for _, text in ipairs({
      "", "5", "s", "-1s", "+1s", "1 s", " 1s", "1s ", "1S", "1w", ".5s", "1.s", "1.5ns", "1..5s",
      "1h30m", "0x1s", "1e3s", "99999999999999999999s", "9223372036854775808ns", "106752d", "1s\0",
    }) do
      local rc, got = duration(text)
      assert.equal(C.PERI_EINVAL, rc, text)
      assert.equal(-1, got)
    end
  end)
end)

describe("base/text sizes", function()
  it("reads each unit", function()
    for text, bytes in pairs({
      ["0"] = 0,
      ["4096"] = 4096,
      ["512B"] = 512,
      ["10KB"] = 10000,
      ["3MB"] = 3e6,
      ["1GB"] = 1e9,
      ["1KiB"] = 1024,
      ["64MiB"] = 67108864,
      ["2GiB"] = 2147483648,
      ["1.5KiB"] = 1536,
    }) do
      local rc, got = size(text)
      assert.equal(0, rc, text)
      assert.equal(bytes, got, text)
    end
  end)

  it("refuses everything else and leaves the output alone", function()
    for _, text in ipairs({
      "", "B", "-1", "1.5", "1.5B", "1 MiB", "1mib", "1K", "18446744073709551616", "17179869184GiB",
    }) do
      local rc, got = size(text)
      assert.equal(C.PERI_EINVAL, rc, text)
      assert.equal(77, got)
    end
  end)
end)

describe("base/text nearest", function()
  local words = { "listen", "admin", "groups", "workers", "log" }

  it("finds what was meant", function()
    assert.equal("listen", nearest("lisen", words))
    assert.equal("listen", nearest("listne", words))
    assert.equal("groups", nearest("group", words))
    assert.equal("workers", nearest("wrokers", words))
    assert.equal("log", nearest("lgo", words))
  end)

  it("keeps quiet when nothing is near", function()
    assert.is_nil(nearest("telemetry", words))
    assert.is_nil(nearest("xyz", words))
    assert.is_nil(nearest(("l"):rep(1000), words))
    assert.is_nil(nearest("log", {}))
    assert.equal("log", nearest("log", { ("l"):rep(1000), "log" }))
  end)
end)

describe("base/text percent encoding", function()
  it("escapes as gRPC does", function()
    assert.equal("plain text ~", encode("plain text ~"))
    assert.equal("100%25", encode("100%"))
    assert.equal("%00%0A%7F%C3%BC", encode("\0\n\127ü"))
    assert.equal("", encode(""))
  end)

  it("leaves no space at either end, where a header must not have one", function()
    assert.equal("%20 a b %20", encode("  a b  "))
    assert.equal("%20", encode(" "))
    assert.equal("%20%20", encode("  "))
    assert.equal("a", encode("a bcd", 3))
    assert.equal("a", encode("a  b", 4))
    assert.equal("", encode(" ", 3))
    for _, text in ipairs({ " ", "  a b  ", "a ", " a" }) do
      assert.equal(text, decode(encode(text)))
    end
  end)

  it("cuts at a whole character", function()
    assert.equal("abc", encode("abcdef", 4))
    assert.equal("a", encode("aü", 7))
    assert.equal("a%C3%BC", encode("aü", 8))
    assert.equal("a%C3", encode("a\xC3", 5))
    assert.equal("", encode("abc", 1))
    assert.equal("", encode("abc", 0))
  end)

  it("decodes, keeping what is no escape", function()
    assert.equal("a\nü%", decode("a%0A%c3%BC%25"))
    assert.equal("%", decode("%"))
    assert.equal("%2", decode("%2"))
    assert.equal("%zz%2g", decode("%zz%2g"))
    assert.equal("\0", decode("%00"))
  end)

  it("cuts decoded text at a whole character", function()
    assert.equal("abc", decode("abcdef", 4))
    assert.equal("a", decode("a%C3%BCb", 3))
    assert.equal("aü", decode("a%C3%BCb", 4))
    assert.equal("aü", decode("a%C3%BC", 4))
    assert.equal("", decode("%F0%9F%98%80", 4))
    assert.equal("", decode("abc", 0))
  end)

  it("undoes itself for every byte", function()
    local bytes = {}
    for byte = 0, 255 do
      bytes[#bytes + 1] = string.char(byte)
    end
    local text = table.concat(bytes)
    assert.equal(text, decode(encode(text)))
  end)

  it("cleans what could drive a terminal, or hide what it shows", function()
    local function clean(bytes)
      local room = ffi.new("char[?]", #bytes + 1, bytes)
      return ffi.string(room, C.peri_text_clean(room, #bytes))
    end
    assert.equal("plain grüße €", clean("plain grüße €"))
    assert.equal("a b c?[31m", clean("a\nb\tc\27[31m"))
    assert.equal("??", clean("\0\127"))
    assert.equal("?31m", clean("\194\15531m"), "CSI as one character")
    assert.equal("a\194\160b", clean("a\194\160b"), "a space that does not break")
    assert.equal("gr?(ü", clean("gr\195(ü"))
    assert.equal("x??", clean("x\226\128"), "cut in a character")
    assert.equal("?txt.exe ? ?", clean("\226\128\174txt.exe \226\128\168 \226\129\166"))
    assert.equal("…", clean("…"))
    assert.equal("", clean(""))
  end)

  it("knows what sounds secret", function()
    for _, name in ipairs({ "authorization", "X-Auth-User", "cookie", "x-csrf-token", "grpc-trace-bin", "Client_Secret", "db_password", "x-jwt", "private_key" }) do
      assert.is_true(C.peri_text_is_secret(name), name)
    end
    for _, name in ipairs({ "x-env", "x-user", "authority", ":authority", "x-authority-of", "version", "" }) do
      assert.is_false(C.peri_text_is_secret(name), name)
    end
  end)
end)
