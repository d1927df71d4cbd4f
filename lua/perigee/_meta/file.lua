---@meta perigee.file

--- Files below the folders that the configuration names in `files`, read without holding the
--- worker. No other file can be read, and none be written.
---
--- ```lua
--- local file = require("perigee.file")
---
--- local text, err, name = file.read("iso-codes/json/iso_3166-1.json")
--- if not text then
---   return nil, err, name
--- end
--- ```
local file = {}

---@class perigee.FileOptions
---@field max_bytes? integer 4 MiB by default, 64 MiB at most; a larger file is ELIMIT

--- Waits for a whole file, in a fetch. A relative path is looked for in each folder. Failures:
--- ENOTFOUND, EPERM (outside the folders, or not readable), ELIMIT, EINVAL (not a regular
--- file), EIO.
---@param path string
---@param options? perigee.FileOptions
---@return string? text
---@return string? err
---@return string? name
function file.read(path, options) end

--- As read(), but gives `false` for a file whose modification time is still `mtime`.
---@param path string
---@param mtime? number what the last call gave
---@param options? perigee.FileOptions
---@return string|false|nil text
---@return number|string mtime_or_err
---@return string? name
function file.read_newer(path, mtime, options) end

return file
