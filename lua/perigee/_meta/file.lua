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

--- The records of a JSON file, read on a thread of their own and held outside of Lua; they count
--- against the policy's memory.
---@class perigee.Records
local records = {}

--- A record as JSON, or nil.
---@param key string
---@return string? row
function records:get(key) end

--- How many keys there are.
---@return integer
function records:count() end

--- The file's modification time.
---@return number seconds
function records:mtime() end

---@class perigee.RecordsOptions: perigee.FileOptions
---@field rows? string dotted path to the rows, an object or a list; "" (the default) is the document itself
---@field key? string|string[] the fields whose values, texts or numbers, are keys; the rows' own names without it

--- Waits for the records of a JSON file, however large, without holding the worker; `false` when its
--- modification time is still `mtime`. Failures as of read(); EINVAL also for what is no JSON or
--- has no such rows, ELIMIT also for what does not fit the memory cap.
---@param path string
---@param options? perigee.RecordsOptions
---@param mtime? number what `records:mtime()` said
---@return perigee.Records|false|nil records
---@return string? err
---@return string? name
function file.records(path, options, mtime) end

return file
