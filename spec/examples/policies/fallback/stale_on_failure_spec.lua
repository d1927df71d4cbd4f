local support = require("spec.examples.policies.support")
local s, origins = support.s, support.origins

describe("the fallback stale_on_failure", function()
  local script, origin, status, body

  before_each(function()
    script = support.script()
    status, body = 200, "fresh"
    origin = origins.new(function(request)
      return origins.response(status, body .. request.target)
    end)
  end)
  after_each(function()
    script:close()
    origin:close()
    s.clean()
  end)

  local function stale(members)
    local inner = ('{"1":"http_origin","url":"%s/{key}"}'):format(origin.url)
    return assert(script:fallback("stale_on_failure", ('{"fallback":%s%s}'):format(inner, members and "," .. members or "")))
  end
  local function ask(fallback, key)
    return origins.fetch(s, script, fallback, key or "k")
  end
  -- perigee_policy_NAME of this policy.
  local function metric(name)
    local labels = 'kind="fallback",name="stale_on_failure"'
    local make = name:find("_total$") and s.C.peri_metrics_counter or s.C.peri_metrics_gauge
    return tonumber(s.C.peri_metric_value(make(script.shim.metrics, "perigee_policy_" .. name, "", labels)))
  end

  it("answers as the origin does while that works", function()
    local fallback = stale()
    assert.same({ 0, "fresh/k", -1 }, { ask(fallback).code, ask(fallback).value, ask(fallback).ttl_ns })
    assert.equal(3, #origin.requests)
    assert.equal(0, metric("stale_answers_total"))
  end)

  it("answers with what it had when that fails, and counts it", function()
    local fallback = stale('"ttl":"7s"')
    ask(fallback)
    for _, bad in ipairs({ 500, 503 }) do
      status = bad
      local got = ask(fallback)
      assert.same({ 0, "fresh/k", 7e9 }, { got.code, got.value, got.ttl_ns })
    end
    assert.equal(2, metric("stale_answers_total"))
    -- Time stands still between two fetches but for what they take.
    assert.is_true(metric("stale_age_seconds") <= 30, metric("stale_age_seconds"))
    status, body = 200, "fresher"
    assert.equal("fresher/k", ask(fallback).value)
    status = 500
    assert.equal("fresher/k", ask(fallback).value)
  end)

  it("answers when the origin is gone", function()
    local fallback = stale()
    ask(fallback)
    origin.answer = function()
      return false
    end
    assert.equal("fresh/k", ask(fallback).value)
  end)

  it("fails as the origin does for what it never had", function()
    local fallback = stale()
    ask(fallback)
    status = 500
    local got = ask(fallback, "other")
    assert.equal(s.EIO, got.code)
    assert.equal("EIO: the origin answered 500", got.text)
  end)

  it("forgets what does not exist any more", function()
    local fallback = stale()
    ask(fallback)
    status = 404
    assert.equal(s.ENOTFOUND, ask(fallback).code)
    status = 500
    assert.equal(s.EIO, ask(fallback).code)
  end)

  it("does not answer with what is too old", function()
    local fallback = stale('"max_age":"1ms"')
    ask(fallback)
    status = 500
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return ask(fallback).code == s.EIO
    end)
  end)

  it("keeps so many bytes and no more", function()
    local fallback = stale('"bytes":"64KiB"')
    body = ("x"):rep(1000)
    for i = 1, 200 do
      ask(fallback, "key-" .. i)
      -- Loaded again and again, it never goes and takes its room once.
      ask(fallback, "always")
    end
    status = 500
    local kept = 0
    for i = 1, 200 do
      kept = kept + (ask(fallback, "key-" .. i).code == 0 and 1 or 0)
    end
    assert.is_true(kept >= 20 and kept <= 57, kept)
    assert.equal(0, ask(fallback, "always").code)
    status, body = 200, ("x"):rep(40000)
    assert.equal(0, ask(fallback, "big").code)
    status = 500
    assert.equal(s.EIO, ask(fallback, "big").code)
    assert.equal(0, script:errors("fallback", "stale_on_failure"))
  end)

  it("hands what it keeps on to its next version", function()
    local function reload()
      status = 500
      assert.equal("", script:reload({}, { force = "fallback/stale_on_failure" }))
    end
    local fallback = stale('"bytes":"2MiB"')
    body = "\0\255binary "
    ask(fallback)
    reload()
    assert.equal("\0\255binary /k", ask(fallback).value)
    status, body = 200, ("x"):rep(20000)
    for i = 1, 45 do
      ask(fallback, "big-" .. i)
    end
    reload()
    local kept = 0
    for i = 1, 45 do
      kept = kept + (ask(fallback, "big-" .. i).code == 0 and 1 or 0)
    end
    assert.is_true(kept >= 37 and kept <= 39, kept)
    assert.equal(3, script:policy("fallback", "stale_on_failure").version)
    assert.equal(0, script:errors("fallback", "stale_on_failure"))
  end)

  it("says what is wrong with its options", function()
    for options, words in pairs({
      ["{}"] = "fallback",
      ['{"fallback":"nonesuch"}'] = "nonesuch",
      ['{"fallback":{"1":"static_reply","value":"v"},"max_age":"soon"}'] = "max_age",
    }) do
      local made, _, text = script:fallback("stale_on_failure", options)
      assert.is_nil(made)
      assert.truthy(text:find(words, 1, true), text)
    end
  end)

  it("refuses an edit that forgets to keep, or to forget", function()
    assert.same({ 0, "" }, { support.selftest("fallback", "stale_on_failure") })
    for old, words in pairs({ ["keep(self, key, value, clock.now_ms())"] = "it is kept", ["self.old, self.young, self.used = self.young, {}, 0"] = "what is kept has an end" }) do
      local code, text = support.selftest("fallback", "stale_on_failure", support.instead(old, ""))
      assert.equal(s.ESCRIPT, code)
      assert.truthy(text:find(words, 1, true), text)
    end
  end)
end)
