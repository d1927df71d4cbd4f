local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("explanations", function()
  local apps, car, provider, meshed, quiet, cache = {}, nil, nil, nil, nil, nil
  local dead

  setup(function()
    mesh.setup()
    for _, name in ipairs({ "red", "green", "blue" }) do
      apps[name] = mesh.app(name)
    end
    dead = "127.0.0.1:" .. proc.free_port()
    local routes = [[routes = {
      { match = { authority = "pay.*" }, to = "blue" },
      { match = { service = "meshtest.*", header = { ["x-env"] = "canary", authorization = "Bearer hunter2" } },
        to = { { service = "red", weight = 9 }, { service = "red", weight = 1 } } },
      { match = { header = { ["x-half"] = { present = true } } }, to = "half", balancer = "round_robin" },
    },]]
    local static = mesh.static({
      red = { apps.red.address },
      blue = { apps.blue.address },
      half = { dead, apps.green.address },
    }, true)
    car = mesh.car(static .. routes)
    quiet = mesh.car(static .. routes .. "explain = {},")
    provider = mesh.provider("blue", apps.blue.address)
    meshed = mesh.provider("blue", apps.blue.address, 'explain = { "mesh" },')
    cache = sidecar.start([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]])
  end)
  teardown(function()
    for _, each in pairs({ car, quiet, provider, meshed, cache }) do
      each:stop()
    end
    mesh.teardown()
  end)

  local CANARY = "x-env=canary,authorization=Bearer hunter2"

  --- The lines that a call's trailers explain it with; empty when there are none.
  local function why(target, options)
    local seen = mesh.call(target, options)
    return (seen.trailer or {})["perigee-explain"] or "", seen
  end

  it("come in the trailers of a call that asks", function()
    local lines, seen = why(car.app, { header = CANARY .. ",perigee-explain=1" })
    assert.equal("OK", seen.code)
    assert.equal("red", seen.name)
    assert.truthy(lines:find('route 2 matched: service "meshtest.*", header ', 1, true), lines)
    assert.truthy(lines:find('header x-env = "canary"', 1, true), lines)
    assert.truthy(lines:find('|route 1 did not: authority is "127.0.0.1:', 1, true), lines)
    assert.truthy(lines:find("|-> service red (weight ", 1, true), lines)
    assert.truthy(lines:find("|balancer p2c_ewma version 1 chose " .. apps.red.address .. " in ", 1, true), lines)
    assert.truthy(lines:find("|OK after ", 1, true), lines)
    assert.is_nil(lines:find("hunter2", 1, true), lines)
    assert.is_nil(seen.asked["perigee-explain"])
  end)

  it("come only when they are asked for, and allowed", function()
    assert.equal("", (why(car.app, { header = CANARY })))
    for _, each in ipairs({ { quiet.app, CANARY }, { provider.mesh, "perigee-service=blue" } }) do
      local lines, seen = why(each[1], { header = each[2] .. ",perigee-explain=1" })
      assert.equal("", lines)
      assert.equal("OK", seen.code)
      assert.is_nil(seen.asked["perigee-explain"])
    end
    local lines = why(meshed.mesh, { header = "perigee-service=blue,perigee-explain=1" })
    assert.truthy(lines:find("from the mesh: provided here", 1, true), lines)
  end)

  it("come with statuses alone, and with refusals", function()
    local lines, seen = why(car.app, { header = CANARY .. ",perigee-explain=1", code = 5, message = "gone" })
    assert.equal("NotFound", seen.code)
    assert.truthy(lines:find("|NOT_FOUND after ", 1, true), lines)
    lines, seen = why(car.app, { header = "perigee-explain=1,perigee-service=void" })
    assert.equal("Unavailable", seen.code)
    assert.truthy(lines:find("|void: no endpoint is known|UNAVAILABLE", 1, true), lines)
  end)

  it("tell of every attempt", function()
    local lines
    -- Half of the calls begin where nobody listens.
    proc.await("a call with two attempts", 20000, function()
      local seen
      lines, seen = why(car.app, { header = "x-half=1,perigee-explain=1" })
      assert.equal("green", seen.name)
      return lines:find("attempt 2", 1, true)
    end)
    assert.truthy(lines:find("^attempt 1: balancer round_robin version 1 chose " .. dead:gsub("%p", "%%%0") .. " in [^|]*; " .. dead:gsub("%p", "%%%0") .. ": could not connect: [^|]*|"), lines)
    assert.truthy(lines:find("tried before|", 1, true), lines)
    assert.truthy(lines:find("chose " .. apps.green.address, 1, true), lines)
  end)

  it("say who owns a key", function()
    local function get(key)
      local seen = cache:call({ group = "g", key = key, metadata = "perigee-explain=1" })
      return table.concat((seen.trailer or {})["perigee-explain"] or {}, "|")
    end
    assert.truthy(get("k"):find('^group g, key "k"|not in the cache here|'), get("k"))
    assert.truthy(get("k"):find("|in the cache here, for ever|", 1, true), get("k"))
    assert.truthy(get("k"):find("a Get answers from the cache", 1, true), get("k"))
  end)

  it("tell of every key of a call, as far as there is room", function()
    local function ask(method, message)
      local got = cache:cli("call", "--header", "perigee-explain=1", "groupcachepb.GroupCache/" .. method, message)
      assert.equal(0, got.code, got.err)
      return (got.err:gsub("perigee%-explain: ", ""))
    end
    local own = "no other sidecar is known, so the key is its own: "
    assert.equal('group g, key "w"\nnot in the cache here\n' .. own .. "a Set stores it here\n", ask("Set", '{"group":"g","key":"w"}'))
    assert.equal('group g, key "w"\nin the cache here, for ever\na Peek answers with it\n', ask("Peek", '{"group":"g","key":"w"}'))
    assert.equal('group g, key "w"\nin the cache here, for ever\n' .. own .. "a Remove drops it here\n", ask("Remove", '{"group":"g","key":"w"}'))
    assert.equal(
      'group g, 2 keys\nkey "w": not in the cache here; ' .. own .. 'a Remove drops it here\nkey "x": not in the cache here; ' .. own .. "a Remove drops it here\n",
      ask("RemoveKeys", '{"group":"g","keys":["w","x"]}')
    )
    assert.equal(
      'group g, 2 keys\nkey "w": not in the cache here; ' .. own .. 'a Get loads it by fallback static_reply\nkey "": a key must be UTF-8 and not empty\n',
      ask("BatchGet", '{"group":"g","keys":["w",""]}')
    )
    local many = {}
    for i = 1, 300 do
      many[i] = ('"%s"'):format(("key%04d\\u001b"):format(i):rep(20))
    end
    local lines = ask("BatchGet", ('{"group":"g","keys":[%s]}'):format(table.concat(many, ",")))
    assert.truthy(lines:find("^group g, 300 keys, of which the first\nkey \"key0001%?"), lines)
    local _, count = lines:gsub("\n", "")
    assert.is_true(count <= 17 and #lines < 6144, lines)
    assert.equal("", cache:cli("call", "groupcachepb.GroupCache/Set", '{"group":"g","key":"w"}').err)
    local none = cache:cli("get", "none", "k", "--header", "perigee-explain=1")
    assert.equal(4, none.code)
    assert.truthy(none.err:find("^perigee%-explain: group none\nperigee%-explain: this sidecar's configuration has no such group\n"), none.err)
  end)

  it("pass nothing on that a policy, an endpoint or a caller could do with a terminal", function()
    local folder = proc.folder()
    os.execute("mkdir " .. folder .. "/balancer")
    proc.write(folder .. "/balancer/nasty.lua", [[return require("perigee.policy").balancer({
      name = "nasty",
      pick = function(_, _, endpoints)
        return endpoints[1], "\27]0;owned\7 \194\15531m \226\128\174 \255 " .. ("ü"):rep(100000)
      end,
    })]])
    local nasty = mesh.car(([[
      registry = { kind = "static", services = { red = { { address = %q, zone = "z\27[5m", metadata = { note = "\27[6m\194\1556m" } } } } },
      routes = { { match = { header = { ["x-any"] = { present = true } } }, to = "red", balancer = "nasty" } },
      policies = { path = { %q } },]]):format(apps.red.address, folder))
    local lines, seen = why(nasty.app, { header = "perigee-explain=1,x-any=1" })
    assert.equal("OK", seen.code)
    assert.truthy(lines:find('"?]0;owned? ?31m ? ? ', 1, true), lines)
    assert.truthy(lines:find("zone z?[5m", 1, true), lines)
    assert.is_nil(lines:find("[^\32-\126]"), lines)
    assert.is_true(#lines < 6144)
    local words = nasty:cli("explain", "a.B/C", "--header", "x-any=\27[7m\194\1557m").out
    assert.truthy(words:find("balancer nasty version 1 chose", 1, true), words)
    assert.is_nil(words:gsub("\n", ""):gsub("ü", ""):find("[^\32-\126]"), words)
    nasty:stop()
    proc.remove(folder)
  end)

  it("are kept for whoever looks later, trouble longer than the rest", function()
    mesh.ok(car.app, { header = "x-half=1" })
    assert.equal("Unavailable", mesh.call(car.app, { header = "perigee-service=later" }).code)
    for _ = 1, 5 do
      mesh.ok(car.app, { header = CANARY, method = "Up", times = 100 })
    end
    local got = car:cli("explain")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("UNAVAILABLE.*later: no endpoint is known\n"), got.out)
    assert.truthy(got.out:find("meshtest.Echo/Up +" .. apps.red.address .. " +p2c_ewma v1 +OK after "), got.out)
    local words = car:cli("explain", "meshtest.Echo/One", "--header", "x-env=canary", "--header", "authorization=Bearer hunter2").out
    assert.truthy(words:find("header authorization", 1, true), words)
    assert.is_nil(words:find("hunter2", 1, true), words)
    assert.truthy(words:find("\n  nothing was sent\n", 1, true), words)
  end)
end)
