local s = require("spec.core.script.support")
local C, ffi = s.cffi.load({ "script/selftest_shim.h" })

local out = ffi.new("char[8192]")

describe("a selftest", function()
  after_each(s.clean)

  -- Loads a policy and runs its selftest of this body. `rest` are its other fields.
  local function run(kind, rest, body)
    local folder = s.folder()
    s.write(
      ("%s/%s/p.lua"):format(folder, kind),
      ('local policy = require("perigee.policy")\nreturn policy.%s({ name = "p", %s, selftest = function(try) %s end })'):format(kind, rest, body)
    )
    local code = C.selftest_shim_run(kind, "p", os.getenv("PERI_ROOT") .. "/lua", folder, 1e7, 2e9, out, 8192)
    return code, ffi.string(out)
  end
  local first = "pick = function(self, request, endpoints) return endpoints[self.options.at or 1], 'why' end"
  local function balancer(body, rest)
    return run("balancer", (rest or first) .. ", schema = { at = { type = 'integer', min = 1 } }", body)
  end
  local function picker(body)
    return run("picker", "update = function(self, peers) self.n = #peers end, pick = function(self, key, peers) return peers[self.n] end", body)
  end
  local function fallback(body)
    return run("fallback", "fetch = function(self, request, cause) return request:group() .. request:key() .. cause end", body)
  end
  local function passes(code, words)
    assert.same({ 0, "" }, { code, words })
  end
  local function fails(wanted, code, words)
    assert.equal(s.ESCRIPT, code)
    assert.truthy(words:find(wanted, 1, true), words)
    assert.truthy(words:find("p.lua:2:", 1, true), words)
    assert.truthy(words:find("stack traceback:", 1, true), words)
    return words
  end

  it("need not be there", function()
    local folder = s.folder()
    s.write(folder .. "/picker/p.lua", "return require('perigee.policy').picker({ name = 'p', pick = function() end })")
    passes(C.selftest_shim_run("picker", "p", nil, folder, 1e7, 2e9, out, 8192), ffi.string(out))
  end)

  it("fails also after it has taken itself away", function()
    for _, other in ipairs({ "nil", "setmetatable({}, {})", "{ 5 }" }) do
      local folder = s.folder()
      s.write(
        folder .. "/picker/p.lua",
        ([[
          local d
          d = require("perigee.policy").picker({
            name = "p", pick = function() end,
            selftest = function() d.selftest = %s return nil, "gone" end,
          })
          return d]]):format(other)
      )
      local code = C.selftest_shim_run("picker", "p", nil, folder, 1e7, 2e9, out, 8192)
      assert.equal(s.ESCRIPT, code)
      assert.truthy(ffi.string(out):find("selftest: gone\n", 1, true), ffi.string(out))
      s.clean()
    end
  end)

  it("makes the policy's own object and lets it pick", function()
    passes(balancer([[
      local object = assert(try.new({ at = 2 }))
      local endpoints = try.endpoints({ { address = "10.0.0.2:1" }, { address = "10.0.0.1:1" } })
      object:update(endpoints)
      local endpoint, why = object:pick(try.request(), endpoints)
      assert(endpoint:address() == "10.0.0.2:1" and why == "why")
      object:done(try.request(), endpoint, { status = 0 })]]))
    passes(picker([[
      local object, peers = try.new(), try.endpoints({ { address = "10.0.0.2:1" }, { address = "10.0.0.1:1" } })
      object:update(peers)
      assert(object:pick("key", peers):address() == "10.0.0.2:1")]]))
    passes(fallback([[
      local request = try.request({ group = "g", key = "k", peer = "10.0.0.1:1", deadline_ms = 250 })
      assert(try.new():fetch(request, "origin") == "gkorigin")
      assert(request:peer() == "10.0.0.1:1" and request:deadline_ms() == 250)]]))
  end)

  it("tries what is carried over", function()
    passes(balancer([[
      local old, new = try.new(), try.new()
      new:import(old:export())]], "export = function() return 7 end, import = function(_, state) assert(state == 7) end, " .. first))
  end)

  it("gives endpoints all that real ones have", function()
    passes(balancer([[
      local endpoints = try.endpoints({
        { address = "10.0.0.2:1", zone = "b", weight = 3, suspect = true, metadata = { rack = "r1" }, inflight = 4, latency_ms = 2.5, failures = 1 },
        { address = "10.0.0.1:1" },
      })
      assert(endpoints:service() == "selftest" and #endpoints == 2 and endpoints:inflight() == 4)
      local one, two = endpoints[1], endpoints[2]
      assert(two:zone() == "b" and two:weight() == 3 and two:suspect() and two:metadata("rack") == "r1")
      assert(two:inflight() == 4 and two:latency_ms() == 2.5 and two:failures() == 1)
      assert(one:zone() == "" and one:weight() == 1 and not one:suspect() and one:inflight() == 0)
      assert(endpoints:least_inflight() == one and #endpoints:only({ two }) == 1)
      assert(#try.endpoints({}) == 0)]]))
  end)

  it("holds the endpoints of a list that does not", function()
    for count = 100, 1000, 10 do
      local code, words = balancer(([[
        local list, held = setmetatable({}, { __mode = "v" }), {}
        for i = 2, %d do
          held[i] = { address = ("10.1.%%d.%%d:1"):format(i / 250, i %% 250), metadata = { ("x"):rep(24) } }
          list[i] = held[i]
        end
        list[1] = { address = ("10.%%d.1.1:1"):format(2) }
        try.endpoints(list)]]):format(count))
      assert.truthy(code == 0 or words:find("an endpoint is given as", 1, true), words)
      s.clean()
    end
  end)

  it("gives requests all that real ones have", function()
    passes(balancer([[
      local request = try.request({ service = "a.B", method = "C", headers = { ["x-user"] = "u" .. 1 }, deadline_ms = 1e6, attempt = 2, body = "\0\0\0\0\2\8\7" })
      assert(request:service() == "a.B" and request:method() == "C" and request:attempt() == 2)
      assert(request:header("x-user") == "u1" and request:header("y") == nil and request:field("1") == "7")
      assert(request:deadline_ms() > 0 and request:deadline_ms() <= 1e6)
      local bare = try.request()
      assert(bare:service() == "" and bare:attempt() == 1 and bare:deadline_ms() == nil)]]))
  end)

  it("fails when it raises, or says false or why", function()
    fails("on purpose", balancer("error('on purpose')"))
    fails("selftest: it returned false", balancer("return false"))
    fails("selftest: too few", balancer("return nil, 'too few'"))
    fails("selftest: too few", balancer("return false, 'too few'"))
    fails("the instruction budget of", balancer("while true do end"))
    passes(balancer("return true"))
    passes(balancer("return nil"))
  end)

  it("cannot wait", function()
    fails("may not wait here", fallback("require('perigee.clock').sleep(1)"))
  end)

  it("refuses options that do not fit, as configuration does", function()
    passes(balancer([[
      local object, why = try.new({ att = 1 })
      assert(object == nil and why == 'unknown option "att"; did you mean "at"?', why)]]))
  end)

  it("refuses what makes no sense", function()
    fails("an endpoint is given as", balancer("try.endpoints({ 5 })"))
    fails("address must be text, not a number", balancer("try.endpoints({ { address = 5 } })"))
    fails('"nonsense"', balancer("try.endpoints({ { address = 'nonsense' } })"))
    fails("weight must be a number from 0 to 65535", balancer("try.endpoints({ { address = '10.0.0.1:1', weight = -1 } })"))
    fails("failures must be a number", balancer("try.endpoints({ { address = '10.0.0.1:1', failures = 0/0 } })"))
    fails("metadata: f: a value may not be a function", balancer("try.endpoints({ { address = '10.0.0.1:1', metadata = { f = print } } })"))
    fails("too many endpoints", balancer("local t = {} for i = 1, 1025 do t[i] = { address = '10.0.0.1:' .. i } end try.endpoints(t)"))
    fails("a selftest may make 64 handles", balancer("for _ = 1, 65 do try.request() end"))
    fails("headers are up to 32 names with texts", balancer("try.request({ headers = { 5 } })"))
    fails("a picker is asked with a key", picker("try.request()"))
    fails("a fallback is given no endpoints", fallback("try.endpoints({})"))
  end)

  it("reads metadata with a bound on what it becomes", function()
    local shared = "local t = { 1 } for i = 1, 40 do t = { t, t } end try.endpoints({ { address = '10.0.0.1:1', metadata = { t = t } } })"
    fails("too many values", balancer(shared))
  end)

  it("leaves nothing that can be used after its end", function()
    local folder = s.folder()
    local lines = {
      'local policy = require("perigee.policy")',
      "local kept = {}",
      'return policy.balancer({ name = "p",',
      "new = function() return kept end,",
      "pick = function(self)",
      "  local words = {}",
      "  for _, use in ipairs({ function() return #self.endpoints end, function() return self.endpoint:address() end,",
      "    function() return self.request:service() end, self.try.new, self.try.endpoints, self.try.request,",
      "    function() return #self.only end }) do",
      "    words[#words + 1] = select(2, pcall(use)):match('[^:]*$')",
      "  end",
      "  return nil, table.concat(words, ';')",
      "end,",
      "selftest = function(try)",
      "  kept.try, kept.request, kept.endpoints = try, try.request(), try.endpoints({ { address = '10.0.0.1:1' } })",
      "  kept.endpoint, kept.only = kept.endpoints[1], kept.endpoints:only({ kept.endpoints[1] })",
      "end })",
    }
    s.write(folder .. "/balancer/p.lua", table.concat(lines, "\n"))
    local code, words = C.selftest_shim_twice("balancer", "p", os.getenv("PERI_ROOT") .. "/lua", folder, out, 8192), ffi.string(out)
    assert.same({
      0,
      " these peers are used after their end;this endpoint is used after its end;this request is used after its end;"
        .. "the selftest is over;the selftest is over;the selftest is over; these endpoints are used after their end",
    }, { code, words })
  end)
end)
