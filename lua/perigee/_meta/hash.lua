---@meta perigee.hash

--- Hashes of bytes. Those of 64 bits are 16 hexadecimal digits.
local hash = {}

--- CRC-32 with the IEEE polynomial.
---@param bytes string
---@return integer
function hash.crc32(bytes) end

---@param bytes string
---@return integer
function hash.fnv1a32(bytes) end

---@param bytes string
---@return string
function hash.fnv1_64(bytes) end

---@param bytes string
---@return string
function hash.xxh3(bytes) end

---@param bytes string
---@return string
function hash.md5_hex(bytes) end

--- One of `count` buckets, from 1, the same on every node.
---@param bytes string
---@param count integer
---@return integer
function hash.bucket(bytes, count) end

return hash
