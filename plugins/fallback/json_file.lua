--- Serves the records of a JSON file, found by a field of theirs, each as JSON:
---
---   fallback = { "json_file", path = "/usr/share/iso-codes/json/iso_3166-1.json",
---                rows = "3166-1", key = { "alpha_2", "alpha_3" } }
---
--- The file must lie below one of the configured `files` folders. It is looked
--- at again every `refresh`, and indexed again when it has changed.
local policy = require("perigee.policy")
local clock = require("perigee.clock")
local file = require("perigee.file")
local json = require("perigee.json")
local log = require("perigee.log")

--- The rows: what the dotted path leads to, an array or an object.
local function find_rows(document, path)
  for step in path:gmatch("[^.]+") do
    if type(document) ~= "table" then
      return nil
    end
    document = document[step]
  end
  return type(document) == "table" and document or nil
end

local function index_rows(rows, fields)
  local index = {}
  for name, row in pairs(rows) do
    if #fields == 0 then
      index[tostring(name)] = row
    end
    for _, field in ipairs(fields) do
      local value = type(row) == "table" and row[field]
      if type(value) == "string" or type(value) == "number" then
        index[tostring(value)] = row
      end
    end
  end
  return index
end

--- Reads the file when it is time, and builds the index when it is another.
local function refresh(self)
  local options = self.options
  local text, mtime, name = file.read_newer(options.path, self.mtime, { max_bytes = options.max_bytes })
  if name == "ENOTFOUND" then
    -- No file is a failure; not to be taken for "no such record".
    return nil, "EIO: there is no file " .. options.path, "EIO"
  elseif text == nil then
    return nil, ("%s (%s)"):format(mtime, options.path), name
  end
  self.next_ms = clock.now_ms() + options.refresh
  if not text or mtime == self.mtime then
    return true
  end
  local document, err, code = json.decode(text)
  if document == nil then
    return nil, ("%s (%s)"):format(err, options.path), code
  end
  local rows = find_rows(document, options.rows)
  if not rows then
    return nil, ('EINVAL: %s has no rows at "%s"'):format(options.path, options.rows), "EINVAL"
  end
  self.index = index_rows(rows, self.fields)
  self.mtime = mtime
  return true
end

return policy.fallback({
  name = "json_file",
  schema = {
    path = { type = "string", required = true, min = 1, help = "absolute, or relative to a `files` folder" },
    rows = { type = "string", default = "", help = 'dotted path to the rows; "" when the document is the rows' },
    key = { type = "any", help = "the field that holds a record's key, or a list; the rows' own names without it" },
    refresh = { type = "duration", default = "10s", help = "how often the file is looked at" },
    max_bytes = { type = "size", default = "4MiB", min = 1, max = "64MiB" },
  },
  new = function(options)
    local fields = type(options.key) == "string" and { options.key } or options.key or {}
    if type(fields) ~= "table" then
      return nil, 'key: a field\'s name or a list of names is expected, such as "id" or { "id", "name" }'
    end
    return { options = options, fields = fields, next_ms = 0 }
  end,
  fetch = function(self, request)
    if not self.index or clock.now_ms() >= self.next_ms then
      local ok, err, name = refresh(self)
      if not ok and not self.index then
        return nil, err, name
      elseif not ok then
        -- Yesterday's records are better than none.
        self.next_ms = clock.now_ms() + self.options.refresh
        log.warn("keeping the records read before:", err)
      end
    end
    local row = self.index[request:key()]
    if row == nil then
      return nil, ("ENOTFOUND: no record %q"):format(request:key()), "ENOTFOUND"
    end
    return json.encode(row)
  end,
})
