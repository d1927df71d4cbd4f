--- Answers every key with the same value: for tests, and as the last resort of a
--- chain.
local policy = require("perigee.policy")

return policy.fallback({
  name = "static_reply",
  schema = {
    value = { type = "string", required = true, help = "what every key is answered with" },
    ttl = { type = "duration", help = "how long it is kept; the group's ttl when not given" },
  },
  new = function(options)
    return { value = options.value, answer = { ttl = options.ttl } }
  end,
  fetch = function(self)
    return self.value, self.answer
  end,
})
