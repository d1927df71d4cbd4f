--- Answers with the last value it had when the origin fails:
---
---   fallback = { "stale_on_failure", max_age = "6h", ttl = "10s", bytes = "2MiB",
---                fallback = { "http_origin", url = "http://127.0.0.1:8080/{key}", timeout = "1s" } }
---
--- Each worker keeps the values that it loaded itself, at most `bytes` of them; what nobody loaded for longest
--- goes first. When the inner fallback fails, what is kept and not older than `max_age` is the answer for `ttl`;
--- then the origin is asked again. That a value does not exist is an answer too, and what is kept is forgotten.
--- How old an answer was stands in the log, and in the metrics perigee_policy_stale_answers_total and
--- perigee_policy_stale_age_seconds.
local clock = require("perigee.clock")
local log = require("perigee.log")
local metrics = require("perigee.metrics")
local policy = require("perigee.policy")

local OVERHEAD = 128 -- bytes of the VM for each value, beside itself and its key
local CARRIED = 768 * 1024 -- bytes that a reload hands on; it could hand on 1 MiB

local function forget(self, key)
  local before = self.young[key]
  if before then
    self.used = self.used - before.cost
  end
  self.young[key], self.old[key] = nil, nil
end

-- Values that were loaded or answered lately are in `young`, others in `old`, and either has half the room.
local function keep(self, key, value, at)
  local cost, room = #key + #value + OVERHEAD, self.options.bytes / 2
  forget(self, key)
  if cost > room then
    return
  end
  if self.used + cost > room then
    self.old, self.young, self.used = self.young, {}, 0
  end
  self.young[key], self.used = { value = value, at = at, cost = cost }, self.used + cost
end

-- A failure has words; without them, or by this name, the value does not exist.
local function is_missing(err, name)
  return type(err) ~= "string" or (name or err:match("^[%w_]+")) == "ENOTFOUND"
end

local function fetch(self, request, cause)
  local key = request:key()
  local value, err, name, more = self.inner:fetch(request, cause)
  if value then
    keep(self, key, value, clock.now_ms())
    return value, err
  end
  local kept = self.young[key] or self.old[key]
  local age = kept and clock.now_ms() - kept.at
  if is_missing(err, name) or (kept and age > self.options.max_age) then
    forget(self, key)
    kept = nil
  end
  if not kept then
    return nil, err, name, more
  end
  keep(self, key, kept.value, kept.at)
  self.answers:add(1)
  self.age:set(math.floor(age / 1000))
  log.warn(("%s/%s: answered with a value that is %.1f s old: %s"):format(request:group(), key, age / 1000, err))
  return kept.value, { ttl = self.options.ttl }
end

return policy.fallback({
  name = "stale_on_failure",
  schema = {
    fallback = { type = "any", required = true, help = '"name" or { "name", … }: asks the origin' },
    max_age = { type = "duration", default = "1h", min = "1ms", help = "of a value that is still an answer" },
    ttl = { type = "duration", default = "5s", min = "1ms", help = "until the origin is asked again" },
    bytes = { type = "size", default = "2MiB", min = "1KiB", help = "of each worker; the VM has a cap of its own" },
  },
  new = function(options)
    return {
      options = options,
      inner = policy.use("fallback", options.fallback),
      answers = metrics.counter("stale_answers", "Values answered from what was kept, since the origin failed."),
      age = metrics.gauge("stale_age_seconds", "How old the last of those was."),
      young = {},
      old = {},
      used = 0,
    }
  end,
  fetch = fetch,
  -- What a new version begins with: as many as a reload carries over, young ones first.
  export = function(self)
    local values, room = {}, CARRIED
    for _, part in ipairs({ self.young, self.old }) do
      for key, kept in pairs(part) do
        room = room - kept.cost
        values[#values + 1] = room > 0 and { key = key, value = kept.value, at = kept.at } or nil
      end
    end
    return values
  end,
  import = function(self, values)
    for i = #values, 1, -1 do
      keep(self, values[i].key, values[i].value, values[i].at)
    end
  end,
  selftest = function(try)
    local object = assert(try.new({ fallback = { "static_reply", value = "fresh" }, bytes = "1KiB" }))
    local request = try.request({ group = "g", key = "k" })
    assert(object:fetch(request, "origin") == "fresh", "the origin's value")
    assert(#object:export() == 1, "it is kept")
    for i = 1, 5 do
      object:import({ { key = "big" .. i, value = ("x"):rep(200), at = 0 } })
    end
    assert(#object:export() == 2, "what is kept has an end")
  end,
})
