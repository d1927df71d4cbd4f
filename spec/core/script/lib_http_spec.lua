local s = require("spec.core.script.support")
local origins = require("spec.core.script.origin")

--- A fallback whose key is a Lua expression that is evaluated with `http` and
--- the origin's URL at hand; the value is what it makes.
local caller = [[
  local policy, http = require("perigee.policy"), require("perigee.http")
  return policy.fallback({
    name = "caller",
    schema = { url = { type = "string" } },
    new = function(options) return { url = options.url } end,
    fetch = function(self, request)
      local run = assert(load("local http, url = ... " .. request:key()))
      local response, err, name = run(http, self.url)
      if not response then
        return nil, err, name
      end
      return type(response) == "string" and response or (response.status .. " " .. response.body)
    end,
  })]]

describe("perigee.http", function()
  local script, fallback, origin

  local function start(answer, config)
    origin = origins.new(answer)
    script = s.script({ ["fallback/caller.lua"] = caller }, config)
    fallback = assert(script:fallback("caller", ('{"url":"%s"}'):format(origin.url)))
  end

  after_each(function()
    script:close()
    origin:close()
    s.clean()
  end)

  local function run(text)
    return origins.fetch(s, script, fallback, text)
  end

  it("gets a page", function()
    start(function()
      return origins.response(200, "hello")
    end)
    assert.equal("200 hello", run("return http.get(url .. '/a?b=c')").value)
    assert.equal("GET", origin.requests[1].method)
    assert.equal("/a?b=c", origin.requests[1].target)
    assert.matches("^perigee/", origin.requests[1].headers["user-agent"])
  end)

  it("gives headers by their lower-case names, repeated ones joined", function()
    start(function()
      return origins.response(200, "", { "X-One:  1 ", "x-one: 2", "Empty:" })
    end)
    local got = run("local r = http.get(url) return r.headers['x-one'] .. '|' .. r.headers['empty'] .. '|' .. r.url")
    assert.equal("1, 2||" .. origin.url .. "/", got.value)
  end)

  it("sends what a request says", function()
    start(function(request)
      return origins.response(201, request.method .. request.body .. request.headers["x-mine"])
    end)
    local got = run("return http.request({ method = 'POST', url = url, body = 'x', headers = { ['X-Mine'] = 'y' } })")
    assert.equal("201 POSTxy", got.value)
  end)

  it("holds the texts that options make when they are read", function()
    start(function(request)
      return origins.response(200, request.method .. request.target .. request.body)
    end)
    local got = run([[
      return http.request(setmetatable({}, { __index = function(_, name)
        for i = 1, 400 do
          local _ = ("x"):rep(i % 60) .. i
        end
        if name == "url" then
          return url .. "/" .. name:rep(10)
        end
        return name == "method" and ("ts" .. "op"):reverse():upper():sub(1, 4) or name == "body" and name:rep(12) or nil
      end }))]])
    assert.equal("200 POST/" .. ("url"):rep(10) .. ("body"):rep(12), got.value)
  end)

  it("keeps a connection for the next fetch", function()
    start(function()
      return origins.response(200, "v")
    end)
    for _ = 1, 4 do
      assert.equal("200 v", run("return http.get(url)").value)
    end
    assert.equal(1, origin.connections)
  end)

  it("returns failures with their names", function()
    start(function(request)
      if request.target == "/big" then
        return origins.response(200, ("x"):rep(100))
      end
    end)
    assert.equal(s.ELIMIT, run("return http.get(url .. '/big', { max_bytes = 99 })").code)
    local slow = run("return http.get(url .. '/slow', { timeout = '30ms' })")
    assert.equal(s.ETIMEOUT, slow.code)
    assert.matches("^ETIMEOUT: ", slow.text)
    assert.equal(s.ECONNECT, run("return http.get('http://127.0.0.1:1/')").code)
    assert.equal(s.EINVAL, run("return http.get('file:///etc/hostname')").code)
  end)

  it("raises for misuse before anything is sent", function()
    start(function()
      return origins.response(200, "")
    end)
    for _, call in ipairs({
      "http.get()",
      "http.get({})",
      "http.get(url, { tiemout = 1 })",
      "http.get(url, { timeout = 'soon' })",
      "http.get(url, { timeout = 0 })",
      "http.get(url, { max_bytes = -1 })",
      "http.get(url, { headers = { a = 1 } })",
      "http.get(url, { headers = { ['a b'] = 'x' } })",
      "http.get(url, { headers = { a = 'x\\r\\nb: y' } })",
      "http.get(url .. '\\n')",
      "http.request({ method = 'get', url = url })",
      "http.request({ url = url, body = {} })",
      "http.request({})",
    }) do
      assert.equal(s.ESCRIPT, run("return " .. call).code, call)
    end
    assert.equal(0, #origin.requests)
  end)

  local function begin(target, count)
    local patient = "return http.get(url, { timeout = '1h', connect_timeout = '1h' })"
    local outcomes, fetches = {}, {}
    for i = 1, count do
      outcomes[i] = s.ffi.new("struct script_outcome")
      fetches[i] = s.ffi.new("struct peri_fetch *[1]")
      assert.equal(0, s.C.script_shim_fetch(target, patient, "origin", "", 3600000, outcomes[i], fetches[i]))
    end
    return outcomes, fetches
  end

  it("bounds connections and open requests, and frees those given up", function()
    start(function() end)
    local second = assert(script:fallback("caller", ('{"url":"%s"}'):format(origin.url)))
    local outcomes, fetches = begin(fallback, 2048)
    local over = begin(second, 1)
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return over[1].calls > 0 and #origin.requests == 256
    end)
    assert.equal(s.ESCRIPT, over[1].code)
    assert.equal(256, origin.connections)
    for i = 1, 2048 do
      assert.equal(0, outcomes[i].calls)
      s.C.script_shim_cancel(fallback, fetches[i][0])
    end
    origin.answer = function()
      return origins.response(200, "again")
    end
    assert.equal("200 again", run("return http.get(url)").value)
  end)

  it("opens no more requests than the configuration allows", function()
    start(function() end, '{"policies":{"limits":{"requests":3}}}')
    local outcomes, fetches = begin(fallback, 3)
    local before = script:errors("fallback", "caller")
    local got = run("return http.get(url)")
    assert.equal(s.ESCRIPT, got.code)
    assert.matches("the policy has 3 HTTP requests open; it may have 3", got.text)
    assert.equal(before + 1, script:errors("fallback", "caller"))
    for i = 1, 3 do
      assert.equal(0, outcomes[i].calls)
    end
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return #origin.requests == 3
    end)
    s.C.script_shim_cancel(fallback, fetches[2][0])
    origin.answer = function()
      return origins.response(200, "room again")
    end
    assert.equal("200 room again", run("return http.get(url)").value)
    assert.equal("200 room again", run("return http.get(url)").value)
    s.C.script_shim_cancel(fallback, fetches[1][0])
    s.C.script_shim_cancel(fallback, fetches[3][0])
  end)

  it("escapes what a URL cannot hold", function()
    start(function() end)
    assert.equal("a-b_c.d~1%2F%3F%20%C3%A9%00", run("return http.escape('a-b_c.d~1/? é\\0')").value)
  end)

  it("may be given up with its policy", function()
    start(function() end)
    local outcome = s.ffi.new("struct script_outcome")
    local fetch = s.ffi.new("struct peri_fetch *[1]")
    assert.equal(0, s.C.script_shim_fetch(fallback, "return http.get(url)", "origin", "", 5000, outcome, fetch))
    origins.await(script.shim.loop, s.C.peri_loop_step, function()
      return #origin.requests == 1
    end)
  end)
end)
