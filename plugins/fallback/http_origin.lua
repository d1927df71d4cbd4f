--- Loads values from an HTTP origin: 200 is the value, 404 and 410 say that it
--- does not exist, everything else is a failure.
local policy = require("perigee.policy")
local http = require("perigee.http")
local template = require("perigee.template")
local cache_control = require("perigee.cache_control")

-- No percent-encoding keeps these from meaning "this folder" and "the one above".
local dots = { ["."] = true, [".."] = true }
local missing = { [404] = true, [410] = true }

return policy.fallback({
  name = "http_origin",
  schema = {
    url = { type = "string", required = true, help = "with {key} and {group}, which are percent-encoded" },
    timeout = { type = "duration", default = "2s", min = "1ms", max = "1h", help = "for the whole request" },
    connect_timeout = { type = "duration", default = "1s", min = "1ms", max = "1h" },
    max_bytes = { type = "size", default = "4MiB", min = 1, max = "64MiB", help = "larger values are failures" },
    max_redirects = { type = "integer", default = 3, min = 0, max = 20 },
    headers = { type = "table", default = {}, help = "sent with every request" },
    cache_control = { type = "boolean", default = false, help = "keep a value as long as the origin allows" },
  },
  new = function(options)
    local url, err = template.compile(options.url, { "key", "group" })
    if not url then
      return nil, "url: " .. err
    end
    if not options.url:match("^https?://") then
      return nil, "url: it must begin with http:// or https://"
    end
    local in_path = options.url:match("^[^?#]*"):find("{key}", 1, true) ~= nil
    return { url = url, in_path = in_path, options = options }
  end,
  fetch = function(self, request)
    local options = self.options
    if self.in_path and dots[request:key()] then
      return nil, ("EINVAL: the key %q would leave the URL's path"):format(request:key()), "EINVAL"
    end
    local response, err, name = http.get(self.url:expand({ key = request:key(), group = request:group() }), {
      headers = options.headers,
      timeout = options.timeout,
      connect_timeout = options.connect_timeout,
      max_bytes = options.max_bytes,
      max_redirects = options.max_redirects,
    })
    if not response then
      return nil, err, name
    end
    if response.status == 200 then
      return response.body, options.cache_control and { ttl = cache_control.ttl_ms(response.headers) } or nil
    end
    if missing[response.status] then
      return nil, "ENOTFOUND: the origin answered " .. response.status, "ENOTFOUND"
    end
    return nil, "EIO: the origin answered " .. response.status, "EIO"
  end,
})
