local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the command line", function()
  local car

  setup(function()
    sidecar.setup()
    car = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      groups = { g = { fallback = { "static_reply", value = "v" } }, bare = {} },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  local function run(...)
    return proc.run(sidecar.binary, { ... })
  end

  it("explains itself", function()
    local help = run("--help")
    assert.equal(0, help.code)
    for _, verb in ipairs({ "serve", "check", "get", "set", "remove", "call", "peers", "explain", "stats", "version" }) do
      assert.truthy(help.out:find("\n%s+" .. verb), verb)
      local one = run(verb, "--help")
      assert.equal(0, one.code, verb)
      assert.truthy(one.out:find(verb, 1, true))
    end
    assert.truthy(run("version").out:match("^perigee %d+%.%d+%.%d+"))
  end)

  it("ends with 2 for wrong usage, and names what is right", function()
    local typo = run("gte", "g", "k")
    assert.equal(2, typo.code)
    assert.truthy(typo.err:find("get", 1, true))
    assert.equal(2, run().code)
    assert.equal(2, run("get").code)
    assert.equal(2, run("get", "g").code)
    local flag = run("get", "--jsno", "g", "k")
    assert.equal(2, flag.code)
    assert.truthy(flag.err:find("--json", 1, true))
    assert.equal(2, run("get", "--target", "nonsense", "g", "k").code)
  end)

  it("ends with 1 and says what to do when nobody answers", function()
    local got = run("get", "--target", "127.0.0.1:" .. proc.free_port(), "--timeout", "2s", "g", "k")
    assert.equal(1, got.code)
    assert.truthy(got.err:find("perigee serve", 1, true), got.err)
  end)

  it("gets, sets and removes", function()
    assert.equal("v\n", car:cli("get", "g", "k").out)
    assert.equal(4, car:cli("get", "bare", "k").code)
    assert.equal(0, car:cli("set", "bare", "k", "hello").code)
    assert.equal("hello\n", car:cli("get", "bare", "k").out)
    local piped = proc.run(sidecar.binary, { "set", "--target", car.app, "bare", "p", "-" }, { input = "from\0stdin" })
    assert.equal(0, piped.code, piped.err)
    assert.truthy(car:cli("get", "--json", "bare", "p").out:find('"key"', 1, true))
    assert.equal("from\0stdin", car:call({ group = "bare", key = "p" }).value)
    assert.equal(0, car:cli("remove", "bare", "k").code)
    assert.equal(4, car:cli("get", "bare", "k").code)
    assert.equal(4, car:cli("get", "nowhere", "k").code)
  end)

  it("prints peers and statistics, also as JSON", function()
    assert.equal(0, car:cli("peers").code)
    assert.equal(0, car:cli("peers", "--json").code)
    local stats = car:cli("stats", "--json")
    assert.equal(0, stats.code, stats.err)
    local json = require("spec.support.json").decode(stats.out)
    assert.is_table(json)
  end)
end)

describe("the admin page", function()
  it("speaks Prometheus", function()
    sidecar.setup()
    local car = sidecar.start('return { workers = 2, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, groups = { g = { fallback = { "static_reply", value = "v" } } } }')
    car:call({ group = "g", key = "k" })
    car:call({ group = "g", key = "k" })
    local status, body, head = proc.http("GET", car.admin, "/metrics")
    assert.equal(200, status)
    assert.truthy(head:find("text/plain; version=0.0.4", 1, true), head)
    local typed = {}
    for line in (body):gmatch("[^\n]+") do
      local name = line:match("^# TYPE (%S+)")
      if name then
        assert.is_nil(typed[name], name .. " has two TYPE lines")
        typed[name] = true
      elseif line:sub(1, 1) ~= "#" then
        local series = line:match("^([%w_:]+){?.*}? %-?[%d.e+]+$") or line:match("^([%w_:]+).* %-?[%d.e+]+$")
        assert.truthy(series, line)
        assert.truthy(typed[series] or typed[series:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")], line)
      end
    end
    assert.equal(1, car:metric("perigee_cache_gets_total", 'result="hit"'))
    assert.equal(200, (proc.http("HEAD", car.admin, "/metrics")))
    car:stop()
    sidecar.teardown()
  end)
end)
