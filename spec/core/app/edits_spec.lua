local cffi = require("spec.support.ffi")
local support = require("spec.core.app.roster_support")
local C, ffi = cffi.load({ "app/edits.h", "base/log.h", "base/metrics.h" })

local ABOVE_ERROR = 4

describe("edits", function()
  local metrics, edits

  before_each(function()
    C.peri_log_setup(ABOVE_ERROR, C.PERI_LOG_TEXT)
    metrics = C.peri_metrics_new()
    local got = ffi.new("struct peri_edits *[1]")
    assert.equal(0, C.peri_edits_new(metrics, got))
    edits = got[0]
  end)

  after_each(function()
    C.peri_edits_free(edits)
    C.peri_metrics_free(metrics)
    C.peri_log_setup(C.PERI_LOG_INFO, C.PERI_LOG_TEXT)
  end)

  local function metric(series)
    local text = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_metrics_render(metrics, text))
    local all = "\n" .. ffi.string(text.ptr, text.len)
    C.peri_buffer_done(text)
    return tonumber(all:match("\n" .. series:gsub("%p", "%%%0") .. " (%S+)"))
  end

  local function version(name)
    return metric(('perigee_policy_version{kind="picker",name="%s"}'):format(name))
  end

  local function refused(name)
    return metric(('perigee_policy_refused{kind="picker",name="%s"}'):format(name))
  end

  local function reloads(result)
    return metric(('perigee_policy_reloads_total{result="%s"}'):format(result))
  end

  local function runs(a, b)
    return support.roster({
      a and { kind = "picker", name = "a", version = a } or nil,
      b and { kind = "picker", name = "b", version = b },
    })
  end

  local function words(name)
    return ffi.string(C.peri_edits_words(edits, "picker", name))
  end

  it("show which version runs", function()
    assert.is_true(C.peri_edits_roster(edits) == nil)
    C.peri_edits_take(edits, runs(1, 1), nil)
    assert.same({ 1, 1, 0 }, { version("a"), version("b"), reloads("taken") })
    C.peri_edits_take(edits, runs(2, 1), nil)
    assert.same({ 2, 1, 1 }, { version("a"), version("b"), reloads("taken") })
    C.peri_edits_take(edits, nil, nil)
    assert.equal(2, C.peri_roster_of(C.peri_edits_roster(edits), "picker", "a").version)
    C.peri_edits_take(edits, support.roster({ { kind = "picker", name = "a", version = 2 } }), nil)
    assert.same({ 2, 0, 1 }, { version("a"), version("b"), reloads("taken") })
  end)

  it("show what was rolled back", function()
    C.peri_edits_take(edits, runs(2, 1), nil)
    C.peri_edits_roll(edits, runs(1, 1))
    assert.same({ 1, 0 }, { version("a"), reloads("taken") })
  end)

  it("can be refused as a whole, which counts once", function()
    C.peri_edits_take(edits, runs(1, 1), nil)
    for _ = 1, 3 do
      C.peri_edits_none(edits, "too many files")
      assert.same({ "too many files", "too many files", 1 }, { words("a"), words("b"), reloads("refused") })
    end
    C.peri_edits_none(edits, "the folder hangs")
    assert.same({ "the folder hangs", 2 }, { words("a"), reloads("refused") })
    C.peri_edits_take(edits, nil, nil)
    assert.same({ "", "", 2 }, { words("a"), words("b"), reloads("refused") })
  end)

  it("are refused until the next one of the same policy", function()
    C.peri_edits_take(edits, runs(1, 1), nil)
    local wrong = support.failures({ { "picker", "a", "a.lua:1: wrong" } })
    C.peri_edits_take(edits, runs(1, 1), wrong)
    assert.same({ 1, 1, "a.lua:1: wrong", "" }, { reloads("refused"), refused("a"), words("a"), words("b") })
    -- The same is no news.
    C.peri_edits_take(edits, runs(1, 2), wrong)
    assert.same({ 1, 1 }, { reloads("refused"), refused("a") })
    C.peri_edits_take(edits, runs(1, 2), support.failures({ { "picker", "a", "a.lua:2: wrong" } }))
    assert.same({ 2, 1, "a.lua:2: wrong" }, { reloads("refused"), refused("a"), words("a") })
    C.peri_edits_roll(edits, runs(1, 1))
    assert.equal(1, refused("a"))
    C.peri_edits_take(edits, runs(2, 1), nil)
    assert.same({ 2, 0, "" }, { reloads("refused"), refused("a"), words("a") })
  end)

  it("are refused no more once none of them is", function()
    C.peri_edits_take(edits, runs(1, 1), support.failures({ { "picker", "a", "1" }, { "picker", "b", "2" } }))
    assert.same({ "1", "2", 1, 1 }, { words("a"), words("b"), refused("a"), refused("b") })
    C.peri_edits_take(edits, nil, nil)
    assert.same({ "", "", 0, 0 }, { words("a"), words("b"), refused("a"), refused("b") })
  end)

  it("of the configuration may be refused as well", function()
    assert.equal("", ffi.string(C.peri_edits_config_words(edits)))
    C.peri_edits_config(edits, ("x"):rep(2000))
    assert.truthy(#ffi.string(C.peri_edits_config_words(edits)) > 400)
    C.peri_edits_config(edits, nil)
    assert.equal("", ffi.string(C.peri_edits_config_words(edits)))
  end)
end)
