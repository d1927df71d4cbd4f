local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/metrics.h", "base/metrics_shim.h" })

describe("base/metrics", function()
  local metrics

  before_each(function()
    metrics = C.peri_metrics_new()
  end)

  after_each(function()
    C.peri_metrics_free(metrics)
  end)

  local function render()
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_metrics_render(metrics, buffer))
    local text = cffi.string(C.peri_buffer_slice(buffer))
    C.peri_buffer_done(buffer)
    return text
  end

  local function value(metric)
    return tonumber(C.peri_metric_value(metric))
  end

  it("renders nothing at first", function()
    assert.equal("", render())
    C.peri_metrics_free(nil)
  end)

  it("renders each family once, in the order they came", function()
    local hit = C.peri_metrics_counter(metrics, "gets_total", "Gets.", 'result="hit"')
    local open = C.peri_metrics_gauge(metrics, "open", "Open\nconnections \\o/.", nil)
    local miss = C.peri_metrics_counter(metrics, "gets_total", "Gets.", 'result="miss"')
    C.peri_metric_add(hit, 3)
    C.peri_metric_add(miss, 1)
    C.peri_metric_set(open, -2)
    assert.equal(
      "# HELP gets_total Gets.\n# TYPE gets_total counter\n"
        .. 'gets_total{result="hit"} 3\ngets_total{result="miss"} 1\n'
        .. "# HELP open Open\\nconnections \\\\o/.\n# TYPE open gauge\nopen -2\n",
      render()
    )
  end)

  it("finds a series again", function()
    local a = C.peri_metrics_counter(metrics, "a_total", "A.", 'x="1"')
    assert.equal(a, C.peri_metrics_counter(metrics, "a_total", "A.", 'x="1"'))
    assert.not_equal(a, C.peri_metrics_counter(metrics, "a_total", "A.", 'x="2"'))
    assert.equal(
      C.peri_metrics_counter(metrics, "a_total", "A.", nil),
      C.peri_metrics_counter(metrics, "a_total", "A.", "")
    )
  end)

  it("never answers NULL, also when one name is asked for as two kinds", function()
    C.peri_metrics_counter(metrics, "a", "A.", nil)
    local gauge = C.peri_metrics_gauge(metrics, "a", "A.", nil)
    local histogram = C.peri_metrics_histogram(metrics, "a", "A.", nil)
    C.peri_metric_set(gauge, 5)
    C.peri_histogram_observe(histogram, 5)
    assert.equal("# HELP a A.\n# TYPE a counter\na 0\n", render())
  end)

  it("shows no more than 1,000 families", function()
    for i = 1, 1003 do
      C.peri_metric_add(C.peri_metrics_counter(metrics, "family_" .. i, "A.", nil), 1)
    end
    local text = render()
    assert.truthy(text:find("\nfamily_1000 1\n", 1, true))
    assert.is_nil(text:find("family_1001", 1, true))
    assert.equal(1, value(C.peri_metrics_counter(metrics, "family_7", "A.", nil)))
  end)

  it("shares one series once a family has 1,000", function()
    local label = ffi.new("char[64]")
    for i = 1, 1003 do
      label[0] = 0
      assert.is_true(C.peri_metrics_label(label, 64, "key", cffi.slice(tostring(i))))
      C.peri_metric_add(C.peri_metrics_counter(metrics, "a_total", "A.", label), 1)
    end
    local text = render()
    assert.truthy(text:find('a_total{key="1000"} 1\n', 1, true))
    assert.is_nil(text:find('a_total{key="1001"}', 1, true))
    assert.truthy(text:find('a_total{overflow="true"} 3\n', 1, true))
  end)

  it("sets gauges over additions", function()
    local gauge = C.peri_metrics_gauge(metrics, "g", "G.", nil)
    local histogram = C.peri_metrics_histogram(metrics, "h", "H.", nil)
    C.shim_metrics_hammer(gauge, histogram, 8, 10)
    assert.equal(80, value(gauge))
    C.peri_metric_set(gauge, 7)
    assert.equal(7, value(gauge))
    C.peri_metric_add(gauge, -3)
    assert.equal(4, value(gauge))
  end)

  it("loses no increment of any thread", function()
    local counter = C.peri_metrics_counter(metrics, "a_total", "A.", nil)
    local histogram = C.peri_metrics_histogram(metrics, "h_seconds", "H.", nil)
    C.shim_metrics_hammer(counter, histogram, 12, 5000)
    assert.equal(60000, value(counter))
    local text = render()
    assert.truthy(text:find("h_seconds_count 60000\n", 1, true))
    assert.truthy(text:find("h_seconds_sum 60.000000000\n", 1, true))
  end)

  it("renders histograms as Prometheus counts them", function()
    local histogram = C.peri_metrics_histogram(metrics, "h_seconds", "H.", 'group="a"')
    for _, ns in ipairs({ 0, 100000, 100001, 3000000, 10000000000, 10000000001 }) do
      C.peri_histogram_observe(histogram, ns)
    end
    local text = render()
    assert.truthy(text:find("# TYPE h_seconds histogram\n", 1, true))
    for _, line in ipairs({
      'h_seconds_bucket{group="a",le="0.0001"} 2',
      'h_seconds_bucket{group="a",le="0.00025"} 3',
      'h_seconds_bucket{group="a",le="0.0025"} 3',
      'h_seconds_bucket{group="a",le="0.005"} 4',
      'h_seconds_bucket{group="a",le="5"} 4',
      'h_seconds_bucket{group="a",le="10"} 5',
      'h_seconds_bucket{group="a",le="+Inf"} 6',
      'h_seconds_sum{group="a"} 20.003200002',
      'h_seconds_count{group="a"} 6',
    }) do
      assert.truthy(text:find(line .. "\n", 1, true), line .. "\n" .. text)
    end
  end)

  it("visits counters and gauges only", function()
    C.peri_metric_add(C.peri_metrics_counter(metrics, "a_total", "A.", 'x="1"'), 2)
    C.peri_metrics_histogram(metrics, "h_seconds", "H.", nil)
    C.peri_metric_set(C.peri_metrics_gauge(metrics, "g", "G.", nil), 4)
    local buffer = ffi.new("struct peri_buffer")
    C.shim_metrics_list(metrics, buffer)
    assert.equal('a_total{x="1"}=2;g{}=4;', cffi.string(C.peri_buffer_slice(buffer)))
    C.peri_buffer_done(buffer)
  end)
end)

describe("base/metrics labels", function()
  local function label(before, name, text, capacity)
    local room = ffi.new("char[?]", capacity, before)
    local ok = C.peri_metrics_label(room, capacity, name, cffi.slice(text))
    return ok, ffi.string(room)
  end

  it("appends with a comma", function()
    local ok, text = label("", "a", "x", 100)
    assert.is_true(ok)
    assert.equal('a="x"', text)
    ok, text = label('a="x"', "b", "", 100)
    assert.is_true(ok)
    assert.equal('a="x",b=""', text)
  end)

  it("escapes what would end the value, and replaces what is not UTF-8", function()
    local _, text = label("", "a", 'q"b\\n\nü\xFFz\0', 100)
    assert.equal('a="q\\"b\\\\n\\nü\239\191\189z\\\\0"', text)
  end)

  it("leaves the text as it was when there is no room", function()
    for capacity = 6, 12 do
      local ok, text = label('a="x"', "b", "yz", capacity)
      assert.is_false(ok)
      assert.equal('a="x"', text)
    end
    assert.is_true((label('a="x"', "b", "yz", 13)))
  end)
end)
