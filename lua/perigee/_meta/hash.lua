---@meta perigee.hash

--- Hashes of bytes, the same on every node and in every version. None is fit for secrets. A
--- number in Lua has 53 bits, so those of 64 are 16 hexadecimal digits.
---
--- ```lua
--- local hash = require("perigee.hash")
---
--- local function is_among_five_in_a_hundred(user)
---   return hash.bucket(user, 100) <= 5
--- end
--- ```
local hash = {}

--- CRC-32 with the IEEE polynomial, as golang/groupcache's ring takes it.
---@param bytes string
---@return integer sum from 0 to 4294967295
function hash.crc32(bytes) end

--- FNV-1a of 32 bits.
---@param bytes string
---@return integer sum from 0 to 4294967295
function hash.fnv1a32(bytes) end

--- FNV-1 of 64 bits, as groupcache-go's ring takes it.
---@param bytes string
---@return string digits 16 hexadecimal ones
function hash.fnv1_64(bytes) end

--- XXH3 of 64 bits: the quickest and most even one.
---@param bytes string
---@return string digits 16 hexadecimal ones
function hash.xxh3(bytes) end

---@param bytes string
---@return string digits 32 hexadecimal ones
function hash.md5_hex(bytes) end

--- Which of `count` buckets the bytes fall into.
---@param bytes string
---@param count integer from 1 to 4294967296
---@return integer bucket from 1
function hash.bucket(bytes, count) end

return hash
