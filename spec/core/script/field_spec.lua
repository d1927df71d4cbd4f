local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "script/field.h" })

local function path(text)
  local ret = ffi.new("struct peri_field_path")
  if C.peri_field_path(cffi.slice(text), ret) < 0 then
    return nil
  end
  return ret
end

local function find(body, text)
  local digits, value = ffi.new("char[24]"), ffi.new("struct peri_slice")
  return C.peri_field_find(cffi.slice(body), assert(path(text)), digits, value) and cffi.string(value) or nil
end

-- A gRPC frame around a message.
local function frame(message, length)
  local n = length or #message
  return "\0\0\0" .. string.char(math.floor(n / 256), n % 256) .. message
end

describe("a field path", function()
  it("is numbers with dots between", function()
    for text, count in pairs({ ["1"] = 1, ["1.2"] = 2, ["536870911"] = 1, ["1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16"] = 16 }) do
      assert.equal(count, tonumber(path(text).count), text)
    end
    assert.equal(2, tonumber(path("1.2").numbers[1]))
  end)

  it("is nothing else", function()
    for _, text in ipairs({ "", ".", "1.", ".1", "1..2", "0", "1.0", "a", "1.b", "-1", " 1", "536870912", "99999999999", ("1."):rep(16) .. "1" }) do
      assert.is_nil(path(text), text)
    end
  end)
end)

describe("a field", function()
  local inner = "\8\150\1\18\5hello" -- 1: 150, 2: "hello"
  local message = "\8\5\18" .. string.char(#inner) .. inner .. "\29\1\0\0\0\33\2\0\0\0\0\0\0\0\18\0"

  it("is found by its path", function()
    local body = frame(message)
    assert.equal("5", find(body, "1"))
    assert.equal(inner, find(body, "2"))
    assert.equal("150", find(body, "2.1"))
    assert.equal("hello", find(body, "2.2"))
    assert.equal("1", find(body, "3"))
    assert.equal("2", find(body, "4"))
  end)

  it("may be absent", function()
    local body = frame(message)
    for _, text in ipairs({ "5", "2.3", "1.1", "3.1", "2.2.9" }) do
      assert.is_nil(find(body, text), text)
    end
    assert.is_nil(find("", "1"))
    assert.is_nil(find(frame(""), "1"))
  end)

  it("keeps all 64 bits of a number", function()
    assert.equal("18446744073709551615", find(frame("\8" .. ("\255"):rep(9) .. "\1"), "1"))
  end)

  it("is found in the beginning of a message", function()
    assert.equal("5", find(frame("\8\5\18\100abc", 200), "1"))
    assert.is_nil(find(frame("\8\5\18\100abc", 200), "2"))
    assert.equal("7", find(frame("\18\100\8\7", 200), "2.1"))
  end)

  it("is not sought beyond the first message", function()
    assert.is_nil(find(frame("") .. frame("\8\5"), "1"))
  end)

  it("is not sought in compressed messages", function()
    assert.is_nil(find("\1" .. frame("\8\5"):sub(2), "1"))
  end)

  it("is absent from what is cut off or malformed", function()
    for i = 0, #frame("\18\3abc") - 1 do
      assert.is_nil(find(frame("\18\3abc"):sub(1, i), "2"))
    end
    for _, bad in ipairs({ "\11\8\5", "\15\5", ("\255"):rep(11) .. "\8\5", "\13\1", "\9\1", "\18" .. ("\255"):rep(9) .. "\1" }) do
      assert.is_nil(find(frame(bad), "1"))
      assert.is_nil(find(frame(bad), "2"))
    end
  end)
end)
