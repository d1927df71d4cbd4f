local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/hash.h" })

local function slice(text)
  return cffi.slice(text)
end

local function md5(text)
  local hex = ffi.new("char[33]")
  C.peri_hash_md5_hex(slice(text), hex)
  return ffi.string(hex)
end

describe("base/hash", function()
  it("computes FNV-1a 32 with the shards of the reference", function()
    assert.equal(0x811c9dc5, C.peri_hash_fnv1a32(slice("")))
    assert.equal(3826002220, C.peri_hash_fnv1a32(slice("a")))
    for key, shard in pairs({ a = 12, Tom = 11, Jack = 10, ["key-0"] = 9 }) do
      assert.equal(shard, C.peri_hash_fnv1a32(slice(key)) % 16, key)
    end
  end)

  it("computes FNV-1 64", function()
    assert.equal(0xcbf29ce484222325ULL, C.peri_hash_fnv1_64(slice("")))
    assert.equal(0xaf63bd4c8601b7beULL, C.peri_hash_fnv1_64(slice("a")))
    assert.equal(0x340d8765a4dda9c2ULL, C.peri_hash_fnv1_64(slice("foobar")))
  end)

  it("computes the IEEE CRC-32", function()
    assert.equal(0, C.peri_hash_crc32(slice("")))
    assert.equal(0xcbf43926, C.peri_hash_crc32(slice("123456789")))
  end)

  it("computes XXH3 with its seed", function()
    assert.equal(0x2d06800538d394c2ULL, C.peri_hash_xxh3(slice(""), 0))
    assert.equal(0xe6c632b61e964e1fULL, C.peri_hash_xxh3(slice("a"), 0))
    assert.not_equal(C.peri_hash_xxh3(slice("a"), 0), C.peri_hash_xxh3(slice("a"), 1))
  end)

  it("computes MD5 in lowercase hexadecimal", function()
    assert.equal("d41d8cd98f00b204e9800998ecf8427e", md5(""))
    assert.equal("900150983cd24fb0d6963f7d28e17f72", md5("abc"))
  end)

  it("takes an empty slice without a pointer", function()
    local nothing = ffi.new("struct peri_slice")
    assert.equal(0, C.peri_hash_crc32(nothing))
    assert.equal(0x2d06800538d394c2ULL, C.peri_hash_xxh3(nothing, 0))
  end)

  it("draws different seeds", function()
    assert.not_equal(C.peri_hash_random_seed(), C.peri_hash_random_seed())
  end)
end)
