local cffi = require("spec.support.ffi")
local frames = require("spec.support.frames")
local C, ffi = cffi.load({ "base/error.h", "base/status.h", "h2/framing_shim.h", "h2/single_shim.h" })

local function collect(action)
  local out = ffi.new("struct peri_buffer")
  local result = action(out)
  local text = cffi.string(C.peri_buffer_slice(out))
  C.peri_buffer_done(out)
  return result, text
end

local function run(bytes, options)
  options = options or {}
  local fault, text = collect(function(out)
    return C.shim_single_run(cffi.slice(bytes), options.step or math.max(#bytes, 1), options.encoding or 0, options.limit or 100000, out)
  end)
  return fault.code, fault.status, ffi.string(fault.words), text
end

local function pack(text)
  return select(2, collect(function(out)
    return C.shim_framing_deflate(cffi.slice(text), true, out)
  end))
end

describe("h2/single", function()
  it("reads encodings", function()
    for name, encoding in pairs({ identity = 0, gzip = 1, deflate = 1, snappy = 2, [""] = 2, Gzip = 2 }) do
      assert.equal(encoding, tonumber(C.peri_single_encoding_of(cffi.slice(name))), name)
    end
  end)

  it("gives the one message, whatever its size and pieces", function()
    for _, size in ipairs({ 0, 1, 255, 256, 257, 5000 }) do
      local text = ("x"):rep(size)
      for _, step in ipairs({ 1, 3, 7, 10000 }) do
        local code, _, _, got = run(frames.message(text), { step = step })
        assert.equal(0, code)
        assert.equal(text, got)
      end
    end
  end)

  it("gives it decompressed", function()
    local text = ("hello "):rep(1000)
    for _, step in ipairs({ 1, 10000 }) do
      local code, _, _, got = run(frames.message(pack(text), 1), { step = step, encoding = 1 })
      assert.equal(0, code)
      assert.equal(text, got)
    end
    local code, _, _, got = run(frames.message(pack(""), 1), { encoding = 1 })
    assert.equal(0, code)
    assert.equal("", got)
  end)

  it("says what is wrong, and with which status", function()
    local hello = frames.message("hello")
    for _, case in ipairs({
      { "", C.PERI_EPROTO, 12, "no message" },
      { hello .. hello, C.PERI_EPROTO, 12, "more than one" },
      { hello .. "\0", C.PERI_EPROTO, 12, "more than one" },
      { hello:sub(1, 4), C.PERI_EPROTO, 13, "within a message" },
      { hello:sub(1, 8), C.PERI_EPROTO, 13, "within a message" },
      { "\3", C.PERI_EPROTO, 13, "flag" },
      { frames.message("hello", 1), C.PERI_EPROTO, 13, "compressed" },
      { frames.message("hello", 1), C.PERI_EPROTO, 13, "damaged", { encoding = 1 } },
      { frames.message(("x"):rep(11)), C.PERI_ELIMIT, 8, "larger than the 10 bytes", { limit = 10 } },
      { frames.message(pack(("x"):rep(101)), 1), C.PERI_ELIMIT, 8, "larger than the 100 bytes", { limit = 100, encoding = 1 } },
    }) do
      local code, status, words, got = run(case[1], case[5])
      assert.equal(case[2], code, case[4])
      assert.equal(case[3], status, case[4])
      assert.truthy(words:find(case[4], 1, true), words)
      assert.equal("", got)
    end
  end)
end)
