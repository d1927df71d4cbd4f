local s = require("spec.core.script.support")

describe("perigee.metrics", function()
  teardown(s.clean)

  local counting = [[
    local policy, metrics = require("perigee.policy"), require("perigee.metrics")
    local asked = metrics.counter("asked", "How often it was asked.")
    return policy.fallback({
      name = "counting",
      new = function() return { depth = metrics.gauge("depth") } end,
      fetch = function(self, request)
        asked:add()
        metrics.counter("asked"):add(2)
        self.depth:set(tonumber(request:key()))
        return "v"
      end,
    })]]

  local labels = 'kind="fallback",name="counting"'

  it("counts under its own names and labels", function()
    local script = s.script({ ["fallback/counting.lua"] = counting })
    local fallback = assert(script:fallback("counting"))
    local metrics = script.shim.metrics
    local asked = s.C.peri_metrics_counter(metrics, "perigee_policy_asked_total", "", labels)
    local depth = s.C.peri_metrics_gauge(metrics, "perigee_policy_depth", "", labels)
    script:fetch(fallback, "5")
    script:fetch(fallback, "3")
    assert.equal(6, tonumber(s.C.peri_metric_value(asked)))
    assert.equal(3, tonumber(s.C.peri_metric_value(depth)))
    s.C.script_shim_free_fallback(fallback)
    script.fallbacks = {}
    assert.equal(6, tonumber(s.C.peri_metric_value(asked)))
    script:await(function() -- Its VM is freed in a later turn.
      return tonumber(s.C.peri_metric_value(depth)) == 0
    end)
    script:close()
  end)

  it("shows the gauges of the running version only", function()
    local script = s.script({ ["fallback/counting.lua"] = counting })
    local fallback = assert(script:fallback("counting"))
    local asked = s.C.peri_metrics_counter(script.shim.metrics, "perigee_policy_asked_total", "", labels)
    local depth = s.C.peri_metrics_gauge(script.shim.metrics, "perigee_policy_depth", "", labels)
    local function seen()
      return { tonumber(s.C.peri_metric_value(asked)), tonumber(s.C.peri_metric_value(depth)) }
    end
    script:fetch(fallback, "5")
    assert.equal("", script:prepare({}, { force = "*" }))
    assert.same({ 3, 5 }, seen())
    script:commit()
    assert.same({ 3, 0 }, seen())
    script:fetch(fallback, "4")
    assert.same({ 6, 4 }, seen())
    script:rollback("fallback", "counting")
    assert.same({ 6, 5 }, seen())
    script:rollback("fallback", "counting")
    assert.same({ 6, 4 }, seen())
    script:close()
  end)

  it("works where nothing collects", function()
    assert.equal(0, (s.eval(s.vm(), "require('perigee.metrics').counter('x'):add(1)")))
  end)

  it("raises for misuse", function()
    for _, call in ipairs({
      "counter('Bad Name')",
      "counter('')",
      "counter('errors')",
      "counter('reloads')",
      "gauge('off')",
      "gauge('version')",
      "gauge('refused')",
      "counter('x'):add(-1)",
      "counter('x'):add(0/0)",
      "gauge('x'):set()",
      "gauge('x'):set('high')",
      "counter('x'):set(1)",
    }) do
      assert.equal(s.ESCRIPT, (s.eval(s.vm(), "return require('perigee.metrics')." .. call)), call)
    end
  end)

  it("bounds what a metric counts", function()
    for _, call in ipairs({ "gauge('x')", "counter('x')" }) do
      local code, text = s.eval(s.vm(), ("local x = require('perigee.metrics').%s x:add(2 ^ 53) x:add(1)"):format(call))
      assert.equal(s.ESCRIPT, code)
      assert.matches("up to 2%^53", text)
    end
    assert.equal(0, (s.eval(s.vm(), "local x = require('perigee.metrics').gauge('x') x:set(-2 ^ 53) x:set(2 ^ 53)")))
  end)

  it("bounds the series of a policy", function()
    local code, text = s.eval(s.vm(), "for i = 1, 65 do require('perigee.metrics').counter('x' .. i) end")
    assert.equal(s.ESCRIPT, code)
    assert.matches("at most 64 metrics", text)
  end)
end)
