local discovery = require("spec.support.discovery")
local json = require("spec.support.json")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local callers = 4

--- Writes a file whole, as most editors do.
local function replace(path, text)
  proc.write(path .. "~", text)
  assert(os.rename(path .. "~", path))
end

local function run(...)
  local done = proc.run("/bin/sh", { "-ec", (...):format(select(2, ...)) })
  assert(done.code == 0, done.err)
end

--- A balancer that takes one endpoint only.
local function balancer(address, reason)
  return ([[
    local policy = require("perigee.policy")
    return policy.balancer({
      name = "mine", schema = {},
      new = function() return {} end,
      update = function() end,
      pick = function(_, _, endpoints)
        for i = 1, #endpoints do
          if endpoints[i]:address() == %q then
            return endpoints[i], %q
          end
        end
        return endpoints[1], "the other one"
      end,
    })]]):format(address, reason or "mine")
end

local function fallback(value)
  return ([[
    local policy = require("perigee.policy")
    return policy.fallback({
      name = "mine", schema = {},
      new = function() return {} end,
      fetch = function() return %q, { ttl = "20ms" } end,
    })]]):format(value)
end

--- A picker that gives every key to one peer, the next one after each edit.
local function picker(edit)
  return ([[
    local policy = require("perigee.policy")
    return policy.picker({
      name = "mine", schema = {},
      new = function() return {} end,
      pick = function(_, _, peers) return peers[1 + %d %% #peers], "edit %d" end,
    })]]):format(edit, edit)
end

describe("edits under load", function()
  local apps, car, folder

  setup(mesh.setup)
  teardown(mesh.teardown)

  local function file(kind, name)
    return ("%s/%s/%s.lua"):format(folder, kind, name or "mine")
  end

  local function keys(more)
    return mesh.static({ echo = { apps.a.address, apps.b.address } }, true)
      .. ('policies = { path = { %q } }, '):format(folder)
      .. (more or 'routes = { { match = { service = "meshtest.*" }, to = "echo", balancer = "mine" } },')
  end

  local function config(more)
    return ([[return {
      workers = 2,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      %s
    }]]):format(keys(more))
  end

  before_each(function()
    sidecar.setup()
    folder = sidecar.folder .. "/policies"
    run("mkdir -p %s/balancer %s/fallback %s/picker", folder, folder, folder)
    apps = { a = mesh.app("a"), b = mesh.app("b") }
    replace(file("balancer"), balancer(apps.a.address))
    replace(file("fallback"), fallback("1"))
  end)

  after_each(function()
    if car then
      car:stop()
      car = nil
    end
    proc.destroy_all()
    proc.remove(sidecar.folder)
  end)

  --- Callers with connections of their own, so that both workers have some.
  local function storm(options)
    local all = {}
    for i = 1, callers do
      local each = { workers = 2, delay = 1 }
      if i % 2 == 0 then
        each.method, each.asks = "Both", 3
      end
      for key, value in pairs(options or {}) do
        each[key] = value
      end
      all[i] = mesh.storm(car.app, each)
    end
    local running = {}
    function running.await(who)
      for _, each in ipairs(all) do
        each:await(who)
      end
    end
    --- No call may have failed. The names of those who answered.
    function running.done()
      local names, calls = {}, 0
      for _, each in ipairs(all) do
        local seen = each:done()
        assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
        calls = calls + seen.calls
        for name, count in pairs(seen.names) do
          names[name] = (names[name] or 0) + count
        end
      end
      return names, calls
    end
    return running
  end

  local function list(name)
    local got = car:cli("policy", "list", "--json")
    assert.equal(0, got.code, got.err)
    local answer = json.decode(got.out)
    for _, each in ipairs(answer.policies) do
      if each.kind .. "/" .. each.name == (name or "balancer/mine") then
        return each, answer
      end
    end
  end

  local function await_version(version, name)
    proc.await("version " .. version, 15000, function()
      return list(name).version == version
    end, function()
      return car.process.err
    end)
  end

  --- Who answers on connections of their own.
  local function answering()
    local names = {}
    for _ = 1, 8 do
      names[mesh.ok(car.app, {}).name] = true
    end
    return names
  end

  it("are used by all workers at once, and fail no call", function()
    car = sidecar.start(config())
    local running = storm()
    running.await("a:OK")
    replace(file("balancer"), balancer(apps.b.address))
    running.await("b:OK")
    assert.same({ b = true }, answering())
    await_version(2)
    local names = running.done()
    assert.truthy(names.a > 0 and names.b > 0)
  end)

  it("that are wrong change nothing, and say why, until they are right", function()
    car = sidecar.start(config())
    local running = storm()
    running.await("a:OK")
    replace(file("balancer"), balancer(apps.b.address):gsub("return endpoints", "retrun endpoints", 1))
    car.process:await_err("balancer mine: the edit is refused, version 1 stays: [^\n]*mine%.lua:9:")
    local got = car:cli("policy", "list")
    assert.truthy(got.out:find("\nbalancer +mine +1 +edit refused +%d+ +0 "), got.out)
    assert.truthy(got.out:find("\nbalancer mine: the last edit is refused, version 1 stays: [^\n]*mine.lua:9:"), got.out)
    assert.equal(1, car:metric("perigee_policy_refused", 'kind="balancer",name="mine"'))
    assert.equal(1, car:metric("perigee_policy_reloads_total", 'result="refused"'))
    assert.same({ a = true }, answering())
    -- One that refuses itself.
    replace(file("balancer"), (balancer(apps.b.address):gsub("schema = {},", 'schema = {}, selftest = function() error("not yet") end,')))
    car.process:await_err("balancer mine: the edit is refused, version 1 stays: [^\n]*not yet")
    replace(file("balancer"), balancer(apps.b.address))
    running.await("b:OK")
    await_version(2)
    assert.equal("", list().refused)
    assert.equal(0, car:metric("perigee_policy_refused", 'kind="balancer",name="mine"'))
    assert.equal(2, car:metric("perigee_policy_version", 'kind="balancer",name="mine"'))
    running.done()
  end)

  it("are rolled back on all workers", function()
    car = sidecar.start(config())
    replace(file("balancer"), balancer(apps.b.address))
    await_version(2)
    local running = storm()
    running.await("b:OK")
    local got = car:cli("policy", "rollback", "balancer/mine")
    assert.equal(0, got.code, got.err)
    assert.equal("balancer mine: version 1 runs, before it 2\n", got.out)
    running.await("a:OK")
    assert.same({ a = true }, answering())
    assert.truthy(car:cli("policy", "list").out:find("\nbalancer mine: rolled back from version 2\n", 1, true))
    -- And there again.
    assert.equal(0, car:cli("policy", "rollback", "mine").code)
    assert.same({ b = true }, answering())
    running.done()
  end)

  it("are taken on SIGHUP and when asked", function()
    car = sidecar.start(config())
    local running = storm()
    running.await("a:OK")
    replace(file("balancer"), balancer(apps.b.address))
    car.process:kill("sighup")
    running.await("b:OK")
    local before = list().version
    local got = car:cli("policy", "reload", "mine")
    assert.equal(0, got.code, got.err)
    assert.equal(before + 1, list().version)
    running.done()
  end)

  it("come through the links of a mounted ConfigMap", function()
    run("cd %s/balancer && rm mine.lua && mkdir ..1 && ln -s ..1 ..data && ln -s ..data/mine.lua mine.lua", folder)
    replace(folder .. "/balancer/..1/mine.lua", balancer(apps.a.address))
    car = sidecar.start(config())
    local running = storm()
    running.await("a:OK")
    run("mkdir %s/balancer/..2", folder)
    replace(folder .. "/balancer/..2/mine.lua", balancer(apps.b.address))
    run("cd %s/balancer && ln -s ..2 ..data_tmp && mv -T ..data_tmp ..data && rm -r ..1", folder)
    running.await("b:OK")
    await_version(2)
    running.done()
  end)

  it("of the configuration change routes, groups and balancers in one step", function()
    local ways = {
      [[routes = { { match = { service = "meshtest.*" }, to = "echo", balancer = "mine" } },
        groups = { g = { fallback = "mine", ttl = "10ms" }, old = {} },]],
      [[routes = { { match = { header = { ["x-none"] = { present = true } } }, to = "none" }, { match = {}, to = "echo" } },
        groups = { new = { picker = "maglev" }, g = { fallback = { "static_reply", value = "2" }, bytes = "1MiB" } },
        balancer = "round_robin",]],
    }
    car = sidecar.start(config(ways[1]))
    local running = storm()
    local gets = proc.start(sidecar.client_binary, {
      "storm", "-target", car.app, "-group", "g", "-key", "k", "-keys", "50", "-for", "600s", "-timeout", "20s",
    })
    running.await("a:OK")
    for i = 1, 10 do
      car.process.err = ""
      replace(car.file, config(ways[i % 2 + 1]))
      car.process:await_err("took over the configuration: %d+ changes")
    end
    running.await("b:OK")
    car.process:await_err('changed: routes%[1%]%.balancer: added, "mine"\n')
    assert.equal(10, car:metric("perigee_config_reloads_total", 'result="taken"'))
    running.done()
    gets:kill("sigint")
    gets:wait()
    -- All or nothing: one route is fine, one key needs a restart, one group names no policy.
    for more, words in pairs({
      ['drain = "9s", cluster = "other",'] = "nothing was taken over: cluster needs a restart",
      ['drain = "9s", groups = { g = { fallback = "nobody" } },'] = "the old one stays: [^\n]*nobody",
      ['drain = "9s", groups = { old = { shards = 2 } },'] = "the old one stays: [^\n]*groups%.old%.shards",
    }) do
      replace(car.file, config(more))
      car.process:await_err(words)
      assert.same({ a = true }, answering())
    end
    assert.equal(3, car:metric("perigee_config_reloads_total", 'result="refused"'))
  end)

  it("end a pause of a policy that failed again and again", function()
    replace(file("balancer"), (balancer(apps.a.address):gsub("for i = 1", 'error("no luck today") for i = 1')))
    car = sidecar.start((config():gsub("policies = {", 'policies = { limits = { failures = 5, pause = "1h" },', 1)))
    local running = storm()
    -- The built-in round robin goes on.
    running.await("a:OK")
    running.await("b:OK")
    car.process:await_err("balancer mine: switched off after 5 failures")
    proc.await("the state", 10000, function()
      return list().off_workers == 2
    end)
    local got = car:cli("policy", "list").out
    assert.truthy(got:find("\nbalancer +mine +1 +off for %d+s +"), got)
    assert.truthy(got:find("\nbalancer mine: switched off on 2 of 2 workers, tried again within %d+s: [^\n]*no luck today"), got)
    replace(file("balancer"), balancer(apps.b.address))
    await_version(2)
    assert.same({ b = true }, answering())
    assert.equal(0, list().off_workers)
    running.done()
  end)

  it("hand over what the running version knows", function()
    local counting = [[
      local policy = require("perigee.policy")
      return policy.fallback({
        name = "mine", schema = {},
        new = function() return { count = 0 } end,
        export = function(self) return { count = self.count } end,
        import = function(self, state) self.count = state.count + STEP end,
        fetch = function(self) self.count = self.count + 1 return tostring(self.count), { ttl = "1ms" } end,
      })]]
    replace(file("fallback"), (counting:gsub("STEP", "0")))
    car = sidecar.start((config('groups = { g = { fallback = "mine" } },'):gsub("workers = 2", "workers = 1")))
    local function get(key)
      return tonumber(car:call({ group = "g", key = key }).value)
    end
    assert.equal(1, get("one"))
    assert.equal(2, get("two"))
    replace(file("fallback"), (counting:gsub("STEP", "1000")))
    await_version(2, "fallback/mine")
    assert.equal(1003, get("three"))
    -- What the new one has counted is not the old one's.
    assert.equal(0, car:cli("policy", "rollback", "fallback/mine").code)
    assert.equal(3, get("four"))
  end)

  --- Two sidecars that share the group; the policies are those of the first.
  local function start_pair()
    local ports = { proc.free_port(), proc.free_port() }
    local function shared(text, port)
      local peers = ('services = { GroupCache = { { address = "127.0.0.1:%d" }, { address = "127.0.0.1:%d" } }, '):format(ports[1], ports[2])
      return (text:gsub("services = { ", peers, 1):gsub("listen = { ", ('node = { address = "127.0.0.1:%d" }, listen = { mesh = "127.0.0.1:%d", '):format(port, port), 1))
    end
    local group = 'groups = { g = { fallback = %s, picker = %s, peer_timeout = "20s" } },'
    sidecar.start(shared(config(group:format('{ "static_reply", value = "other", ttl = "20ms" }', '"maglev"')), ports[2]))
    local routes = 'routes = { { match = { service = "meshtest.*" }, to = "echo", balancer = "mine" } },'
    car = sidecar.start(shared(config(routes .. group:format('"mine"', '"mine"')), ports[1]))
  end

  --- The next edit of each policy: some are broken, and some written in place.
  local function edit(number)
    local address = number % 2 == 0 and apps.a.address or apps.b.address
    local texts = { balancer = balancer(address, "edit " .. number) }
    if number % 2 == 0 then
      texts.fallback = fallback(tostring(number))
    end
    if number % 3 > 0 then
      texts.picker = picker(number)
    end
    for kind, text in pairs(texts) do
      if number % 7 == 0 then
        text = text:gsub("function", "funtcion", 1)
      end
      local write = number % 3 == 0 and proc.write or replace
      write(file(kind), text)
    end
  end

  it("every 100 ms, good and bad ones, fail no call", function()
    replace(file("picker"), picker(0))
    start_pair()
    local seconds = discovery.either(60, 20)
    local running = storm()
    running.await("a:OK")
    local gets = proc.start(sidecar.client_binary, {
      "storm", "-target", car.app, "-conns", "4", "-group", "g", "-key", "k", "-keys", "100", "-for", seconds .. "s", "-timeout", "20s",
    })
    local edits = 0
    while not gets.code do
      edits = edits + 1
      edit(edits)
      proc.watch(100)
    end
    gets:wait()
    local got = json.decode(gets.out)
    assert.same({ OK = got.calls }, got.codes, gets.out)
    local names, calls = running.done()
    assert.truthy(names.a > 0 and names.b > 0 and calls > 0)
    for _, name in ipairs({ "balancer/mine", "fallback/mine", "picker/mine" }) do
      -- A machine that is busy takes several edits in one change.
      local policy = list(name)
      assert.truthy(policy.version > 3, name .. " " .. policy.version)
      assert.truthy(policy.calls > 0, name)
      assert.equal(0, policy.errors, policy.last_error)
    end
    replace(file("balancer"), balancer(apps.a.address, "the end"))
    replace(file("picker"), picker(0))
    replace(file("fallback"), fallback("the end"))
    proc.await("the end of it", 10000, function()
      return car:cli("policy", "reload").out == "nothing has changed\n"
    end)
    assert.same({ a = true }, answering())
    assert.equal(0, car:metric("perigee_proxy_inflight"))
  end)
end)

describe("a sidecar that ends while it reloads", function()
  setup(sidecar.setup)

  teardown(sidecar.teardown)

  it("ends as it should, and tells who asked", function()
    local count, folder = 40, sidecar.folder .. "/many"
    run("mkdir -p %s/fallback", folder)
    local groups = {}
    local function write(mark)
      for i = 1, count do
        replace(("%s/fallback/f%d.lua"):format(folder, i), ([[
          local policy = require("perigee.policy")
          local sum = 0
          for n = 1, 300000 do sum = sum + n end
          return policy.fallback({
            name = "f%d", schema = {}, new = function() return {} end,
            fetch = function() return %q end,
          })]]):format(i, mark))
        groups[i] = ('g%d = { fallback = "f%d" },'):format(i, i)
      end
    end
    write("one")
    for _, wait in ipairs({ 0, 5, 20, 60 }) do
      local car = sidecar.start(([[return {
        workers = 2, drain = "2s",
        listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
        policies = { path = { %q } },
        groups = { %s },
      }]]):format(folder, table.concat(groups)))
      local asked = proc.start(sidecar.binary, { "policy", "reload", "--target", car.app })
      write("two " .. wait)
      car.process:kill("sighup")
      proc.watch(wait)
      car:stop()
      local code = asked:wait()
      assert.truthy(code == 0 or asked.err:find("UNAVAILABLE", 1, true), asked.err .. asked.out)
    end
  end)
end)
