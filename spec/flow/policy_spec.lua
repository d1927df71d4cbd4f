local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("policies of one's own", function()
  setup(function()
    sidecar.setup()
    for _, kind in ipairs({ "picker", "fallback" }) do
      assert(os.execute("mkdir -p " .. sidecar.folder .. "/policies/" .. kind))
    end
  end)

  teardown(sidecar.teardown)

  local function policy(kind, name, body)
    proc.write(("%s/policies/%s/%s.lua"):format(sidecar.folder, kind, name), 'local policy = require("perigee.policy")\n' .. body)
  end

  local function start(group, more)
    return sidecar.start(([[return {
      workers = 2,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      policies = { path = { "./policies" } },
      %s
      groups = { g = { %s } },
    }]]):format(more or "", group))
  end

  it("serve beside the shipped ones", function()
    policy("fallback", "greeting", [[
      return policy.fallback({
        name = "greeting",
        schema = { word = { type = "string", default = "hello" } },
        new = function(options) return { word = options.word } end,
        fetch = function(self, request, cause)
          return self.word .. " " .. request:key() .. " " .. cause, { ttl = "1h" }
        end,
      })]])
    local car = start('fallback = { "greeting", word = "good day" }')
    local got = car:call({ group = "g", key = "Tom" })
    assert.equal("good day Tom origin", got.value)
    assert.truthy(got.expire > 0)
    car:stop()
  end)

  it("that raise fail their own call only, and are logged once", function()
    policy("fallback", "raiser", [[
      return policy.fallback({
        name = "raiser",
        new = function() return {} end,
        fetch = function(self, request)
          if request:key():find("bad") then error("no such luck") end
          return "fine"
        end,
      })]])
    local car = start('fallback = { "raiser" }')
    for i = 1, 20 do
      assert.not_equal("OK", car:call({ group = "g", key = "bad" .. i }).code)
      assert.equal("fine", car:call({ group = "g", key = "good" .. i }).value)
    end
    local _, lines = car.process.err:gsub("no such luck", "")
    assert.is_true(lines >= 1 and lines <= 4, car.process.err)
    assert.truthy(car.process.err:find("raiser.lua:%d"), car.process.err)
    assert.equal(20, car:metric("perigee_policy_errors_total"))
    car:stop()
  end)

  it("that never end are stopped, and harm nobody else's call", function()
    policy("fallback", "runaway", [[
      return policy.fallback({
        name = "runaway",
        new = function() return {} end,
        fetch = function(self, request)
          if request:key() == "spin" then while true do pcall(function() while true do end end) end end
          if request:key() == "eat" then local t = {} while true do t[#t + 1] = ("x"):rep(1000) end end
          return "fine"
        end,
      })]])
    local car = start('fallback = { "runaway" }')
    for _, key in ipairs({ "spin", "eat", "spin", "eat" }) do
      local got = car:call({ group = "g", key = key })
      assert.not_equal("OK", got.code)
      assert.truthy(got.millis < 1000 * proc.patience, got.millis)
      assert.equal("fine", car:call({ group = "g", key = "other" .. key }).value)
    end
    car:stop()
  end)

  it("that do not load stop the start with words", function()
    policy("fallback", "broken", "return policy.fallback({ name = \n = }")
    local process = sidecar.launch('return { policies = { path = { "./policies" } }, groups = { g = { fallback = { "broken" } } } }')
    assert.equal(2, (process:wait()))
    assert.truthy(process.err:find("broken.lua:3", 1, true) or process.err:find("broken.lua:2", 1, true), process.err)
  end)

  it("whose picker returns nonsense are replaced by the built-in ring", function()
    policy("picker", "nonsense", [[
      return policy.picker({
        name = "nonsense",
        new = function() return {} end,
        update = function() end,
        pick = function(self, key)
          if key == "a" then return 42 elseif key == "b" then return nil elseif key == "c" then error({}) end
          return {}
        end,
      })]])
    local port = proc.free_port()
    local car = start(
      'picker = "nonsense", fallback = { "static_reply", value = "v" }',
      ('node = { address = "127.0.0.1:%d" }, registry = { kind = "static", services = { GroupCache = { { address = "127.0.0.1:%d" }, { address = "127.0.0.1:1" } } } },'):format(port, port):gsub("^", 'cluster = "GroupCache", ')
    )
    for _, key in ipairs({ "a", "b", "c", "d", "e", "f" }) do
      assert.equal("v", car:call({ group = "g", key = key }).value)
    end
    assert.truthy(car:metric("perigee_policy_errors_total") >= 1)
    car:stop()
  end)

  it("read files only below the folders that are configured", function()
    proc.write(sidecar.folder .. "/secret.txt", "secret")
    assert(os.execute(("mkdir -p %s/open && echo -n shown > %s/open/a.txt && ln -sf ../secret.txt %s/open/link.txt"):format(sidecar.folder, sidecar.folder, sidecar.folder)))
    policy("fallback", "reader", [[
      local file = require("perigee.file")
      return policy.fallback({
        name = "reader",
        new = function() return {} end,
        fetch = function(self, request) return file.read(request:key()) end,
      })]])
    local car = start('fallback = { "reader" }', ('files = { "%s/open" },'):format(sidecar.folder))
    assert.equal("shown", car:call({ group = "g", key = sidecar.folder .. "/open/a.txt" }).value)
    for _, path in ipairs({ "/secret.txt", "/open/../secret.txt", "/open/link.txt" }) do
      local got = car:call({ group = "g", key = sidecar.folder .. path })
      assert.not_equal("OK", got.code, path)
      assert.is_nil(got.value:find("secret"))
    end
    assert.not_equal("OK", car:call({ group = "g", key = "/etc/hostname" }).code)
    assert.equal("NotFound", car:call({ group = "g", key = sidecar.folder .. "/open/none.txt" }).code)
    car:stop()
  end)
end)
