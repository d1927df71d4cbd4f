--- Asks one fallback after the other until one answers:
---
---   fallback = { "chain", fallbacks = {
---     { "http_origin", url = "http://primary/{key}", timeout = "500ms" },
---     { "http_origin", url = "http://secondary/{key}" },
---   } }
---
--- A value that does not exist is an answer too, unless `on_not_found` is true.
local policy = require("perigee.policy")

return policy.fallback({
  name = "chain",
  schema = {
    fallbacks = { type = "list", required = true, min = 1, max = 16, help = 'each "name" or { "name", … }' },
    on_not_found = { type = "boolean", default = false, help = "ask the next one for what one does not have" },
  },
  new = function(options)
    local links = {}
    for i, reference in ipairs(options.fallbacks) do
      links[i] = policy.use("fallback", reference)
    end
    return { links = links, on_not_found = options.on_not_found }
  end,
  fetch = function(self, request, cause)
    local failure
    for _, link in ipairs(self.links) do
      local value, err, name, more = link:fetch(request, cause)
      if value then
        return value, err
      end
      -- A failure has words; without them the value does not exist.
      local missing = type(err) ~= "string" or (name or err:match("^[%w_]+")) == "ENOTFOUND"
      if missing and not self.on_not_found then
        return nil, err, name, more
      end
      -- One that failed may have had the value: only when all say that it does
      -- not exist does it not.
      if not failure or (failure.missing and not missing) then
        failure = { err, name, more, missing = missing }
      end
    end
    return nil, failure[1], failure[2], failure[3]
  end,
})
