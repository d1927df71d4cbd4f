--- Serves the records of a JSON file, found by a field of theirs, each as JSON:
---
---   fallback = { "json_file", path = "/usr/share/iso-codes/json/iso_3166-1.json",
---                rows = "3166-1", key = { "alpha_2", "alpha_3" } }
---
--- The file must lie below one of the configured `files` folders. It is looked
--- at again every `refresh`, and read again when it has changed, on a thread of its
--- own.
local policy = require("perigee.policy")
local clock = require("perigee.clock")
local file = require("perigee.file")
local log = require("perigee.log")

--- Reads the file when it is time, and finds its records when it is another.
local function refresh(self)
  local options, records = self.options, self.records
  local query = { rows = options.rows, key = self.fields, max_bytes = options.max_bytes }
  local fresh, err, name = file.records(options.path, query, records and records:mtime())
  if name == "ENOTFOUND" then
    -- No file is a failure; not to be taken for "no such record".
    return nil, "EIO: there is no file " .. options.path, "EIO"
  elseif fresh == nil then
    return nil, ("%s (%s)"):format(err, options.path), name
  end
  self.records = fresh or records
  self.next_ms = clock.now_ms() + options.refresh
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
    if not self.records or clock.now_ms() >= self.next_ms then
      local ok, err, name = refresh(self)
      if not ok and not self.records then
        return nil, err, name
      elseif not ok then
        -- Yesterday's records are better than none.
        self.next_ms = clock.now_ms() + self.options.refresh
        log.warn("keeping the records read before:", err)
      end
    end
    local row = self.records:get(request:key())
    if row == nil then
      return nil, ("ENOTFOUND: no record %q"):format(request:key()), "ENOTFOUND"
    end
    return row
  end,
})
