local M = require("spec.core.proxy.rig")
local C, ffi = M.C, M.ffi

local function routes(...)
  return '{"routes":[' .. table.concat({ ... }, ",") .. "]}"
end

local function route(method, to, more)
  to = to:find("^%d") and '{"address":"' .. to .. '"}' or '"' .. to .. '"'
  return ('{"match":{"method":"%s"},"to":%s%s}'):format(method, to, more or "")
end

describe("proxy/prepare", function()
  local rig
  after_each(function()
    if rig then
      rig.free()
      rig = nil
    end
  end)

  local function ok(call)
    assert.equal(0, (rig.status(rig.wait(call))))
  end

  -- An open call of which one byte came back.
  local function begun(method, extra)
    local call = rig.open(method, extra, false)
    rig.write(call, "a")
    assert.is_true(rig.until_true(function()
      return call.body.len == 1
    end))
    return call
  end

  local function finished(call)
    rig.write(call, "b")
    rig.finish(call)
    ok(call)
    assert.equal("ab", rig.text(call.body))
  end

  local function conns(backend)
    return tonumber(C.peri_h2_server_conns(backend.server))
  end

  it("changes nothing until it is taken, and nothing when it is dropped", function()
    rig = M.rig({ config = routes(route("Echo", "a")) })
    local first, a = rig.backend(0)
    local second, b = rig.backend(1)
    rig.publish("a " .. a .. "\nb " .. b)
    ok(rig.open("Echo", nil, "x"))
    local made, freed = rig.ptr.policy.made, rig.ptr.policy.freed
    assert.is_true(rig.prepare(routes(route("Echo", "b"))))
    ok(rig.open("Echo", nil, "x"))
    C.peri_proxy_abort(rig.ptr.proxy)
    C.peri_proxy_abort(rig.ptr.proxy)
    C.peri_proxy_commit(rig.ptr.proxy)
    ok(rig.open("Echo", nil, "x"))
    assert.equal(3, first.requests)
    assert.equal(rig.ptr.policy.made - made, rig.ptr.policy.freed - freed)
    rig.reload(routes(route("Echo", "b")))
    ok(rig.open("Echo", nil, "x"))
    assert.equal(3, first.requests)
    assert.equal(1, second.requests)
  end)

  it("lets calls under way end where they were going", function()
    rig = M.rig({ config = routes(route("Echo", "a", ',"balancer":"x"')) })
    local first, a = rig.backend(0)
    local second, b = rig.backend(1)
    rig.publish("a " .. a .. "\nb " .. b)
    local call = begun("Echo")
    rig.reload(routes(route("Echo", "b", ',"balancer":"y"')))
    rig.reload(routes())
    rig.reload(routes(route("Echo", "b", ',"balancer":"z"')))
    ok(rig.open("Echo", nil, "x"))
    -- One for the route, one for services that no route names, one for a and b each
    -- that the default one serves, and the one of the call.
    assert.is_true(rig.ptr.policy.made - rig.ptr.policy.freed <= 5)
    local freed = rig.ptr.policy.freed
    finished(call)
    assert.equal(freed + 1, rig.ptr.policy.freed)
    assert.equal(1, first.requests)
    assert.equal(1, second.requests)
  end)

  it("keeps the balancers whose policy is the same, and tells new ones of the endpoints first", function()
    local policy
    local function picker()
      ok(rig.open("Echo", nil, "x"))
      return policy.picker
    end
    rig = M.rig({ config = routes(route("Echo", "a", ',"balancer":["x",{"n":1}]')) })
    policy = rig.ptr.policy
    local _, a = rig.backend(0)
    rig.publish("a " .. a)
    local number = picker()
    rig.reload(routes(route("Other", "a"), route("Echo", "a", ',"timeout":"9s","balancer":["x",{"n":1}]')))
    assert.equal(number, picker())
    local updates = policy.updates
    assert.is_true(rig.prepare(routes(route("Echo", "a", ',"balancer":["x",{"n":2}]'))))
    assert.equal(updates + 1, policy.updates)
    rig.publish("a " .. a .. "*")
    C.peri_proxy_commit(rig.ptr.proxy)
    assert.are_not.equal(number, picker())
    assert.equal(0, rig.in_flight())
  end)

  it("gives services found by name the new default balancer", function()
    rig = M.rig({ config = '{"balancer":"x"}' })
    local policy = rig.ptr.policy
    local _, a = rig.backend(0)
    rig.publish("a " .. a .. "\nb " .. a)
    local function by_name(name)
      ok(rig.open("Echo", { { "perigee-service", name } }, "x"))
      return policy.picker
    end
    local one, other = by_name("a"), by_name("b")
    rig.reload('{"balancer":["x"],"drain":"1s"}')
    assert.equal(one, by_name("a"))
    assert.equal(other, by_name("b"))
    local call = begun("Echo", { { "perigee-service", "a" } })
    assert.is_true(rig.prepare('{"balancer":"y"}'))
    assert.equal(one, by_name("a"))
    C.peri_proxy_commit(rig.ptr.proxy)
    local updates = policy.updates
    local third = by_name("a")
    assert.is_true(third ~= one and third ~= other)
    assert.equal(third, by_name("a"))
    by_name("b")
    assert.equal(updates, policy.updates)
    local freed = policy.freed
    finished(call)
    assert.equal(freed + 1, policy.freed)
  end)

  it("takes along what is found, goes and comes while it is prepared", function()
    rig = M.rig({ config = '{"balancer":"x"}', without_want = true })
    local policy = rig.ptr.policy
    local backend, a = rig.backend(0)
    local function by_name(name)
      return (rig.status(rig.fetch("Echo", { { "perigee-service", name } }, "x")))
    end
    rig.publish("gone " .. a)
    assert.equal(0, by_name("gone"))
    assert.is_true(rig.prepare('{"balancer":"y"}'))
    rig.publish("late " .. a)
    assert.equal(0, by_name("late"))
    assert.equal(14, by_name("gone"))
    C.peri_proxy_commit(rig.ptr.proxy)
    local updates = policy.updates
    assert.equal(0, by_name("late"))
    assert.equal(14, by_name("gone"))
    assert.equal(updates, policy.updates)
    rig.publish("gone " .. a)
    assert.equal(0, by_name("gone"))
    assert.equal(4, backend.requests)
  end)

  it("shares a service between routes, as long as one needs it", function()
    rig = M.rig({ config = routes(route("A", "a"), route("Echo", "a")) })
    local policy = rig.ptr.policy
    local _, a = rig.backend(0)
    rig.publish("a " .. a)
    ok(rig.open("Echo", nil, "x"))
    local number = policy.picker
    rig.reload(routes(route("Echo", "a"), route("B", "a"), route("C", "a")))
    ok(rig.open("Echo", nil, "x"))
    assert.equal(number, policy.picker)
    rig.reload(routes())
    ok(rig.open("Echo", { { "perigee-service", "a" } }, "x"))
    assert.equal(number, policy.picker)
    rig.reload(routes(route("Echo", "a", ',"balancer":"own"'), route("B", "a")))
    ok(rig.open("Echo", nil, "x"))
    local own = policy.picker
    assert.are_not.equal(number, own)
    -- Two routes with the same balancer of their own have one each.
    rig.reload(routes(route("B", "a", ',"balancer":"own"'), route("Echo", "a", ',"balancer":"own"')))
    ok(rig.open("Echo", nil, "x"))
    assert.is_true(policy.picker ~= own)
  end)

  it("ends the connections to fixed addresses that no route names any more", function()
    local a, b = M.address(), M.address()
    rig = M.rig({ config = routes(route("Bare", a), route("Echo", b)) })
    local first = rig.backend(0, a)
    local second = rig.backend(1, b)
    local policy = rig.ptr.policy
    ok(rig.open("Bare", nil, "x"))
    local number = policy.picker
    local call = begun("Echo")
    rig.reload(routes(route("Echo", a), route("Bare", a)))
    rig.settle()
    assert.equal(1, conns(first))
    assert.equal(1, conns(second))
    finished(call)
    assert.is_true(rig.until_true(function()
      return conns(second) == 0
    end))
    ok(rig.open("Echo", nil, "x"))
    assert.equal(number, policy.picker)
    assert.equal(1, first.accepted)
    rig.reload(routes())
    assert.is_true(rig.until_true(function()
      return conns(first) == 0
    end))
  end)

  it("ends a connection that a call made after its address left", function()
    local a, b = M.address(), M.address()
    local both = ('{"match":{},"to":{"addresses":["%s","%s"]}}'):format(a, b)
    rig = M.rig({ config = routes(both) })
    rig.backend(1, b)
    local mute = rig.backend(0, a)
    -- The first refuses what it has not begun with, and the call goes on to the
    -- other, which nothing needs by then.
    rig.ptr.policy.pick = ffi.string(rig.ptr.backends[0].address) < ffi.string(rig.ptr.backends[1].address) and 0 or 1
    local call = rig.open("Hold", nil, "x")
    assert.is_true(rig.until_true(function()
      return mute.requests == 1
    end))
    rig.reload(routes())
    C.proxy_backend_reset(rig.ptr, 0, 7)
    assert.is_true(rig.until_true(function()
      return rig.ptr.backends[1].requests == 1
    end))
    assert.equal(1, conns(rig.ptr.backends[1]))
    C.proxy_call_reset(call, 8)
    rig.wait(call)
    assert.is_true(rig.until_true(function()
      return conns(rig.ptr.backends[1]) == 0 and conns(mute) == 0
    end))
  end)

  it("keeps the time limit of a call's route, and gives the next one the new limit", function()
    rig = M.rig({ config = routes(route("Hold", "a", ',"timeout":"1h"')) })
    local backend, a = rig.backend(0)
    rig.publish("a " .. a)
    local call = rig.open("Hold", nil, "x")
    assert.is_true(rig.until_true(function()
      return backend.requests == 1
    end))
    rig.reload(routes(route("Hold", "a", ',"timeout":"1ms"')))
    assert.equal(4, (rig.status(rig.fetch("Hold", nil, "x"))))
    assert.equal(0, call.closes)
    C.proxy_call_reset(call, 8)
    rig.wait(call)
  end)

  it("lets a call that waits for a name find it where its route sends", function()
    rig = M.rig({ config = routes(route("Echo", "slow", ',"balancer":"x"')) })
    local backend, a = rig.backend(0)
    local call = rig.open("Echo", nil, "x")
    assert.is_true(rig.until_true(function()
      return rig.ptr.wants > 0
    end))
    rig.reload(routes(route("Echo", "other")))
    rig.publish("slow " .. a)
    ok(call)
    assert.equal(1, backend.requests)
  end)

  it("refuses a balancer that cannot be made or does not take the endpoints, and leaks nothing", function()
    rig = M.rig({ config = routes(route("Echo", "a")) })
    local policy = rig.ptr.policy
    local backend, a = rig.backend(0)
    rig.publish("a " .. a)
    ok(rig.open("Echo", nil, "x"))
    local alive = policy.made - policy.freed
    for place, text in pairs({
      ["routes[2].balancer"] = routes(route("B", "b", ',"balancer":"x"'), route("Echo", "a", ',"balancer":"unmakeable"')),
      balancer = '{"balancer":"unmakeable"}',
    }) do
      local none, words, code = rig.prepare(text)
      assert.is_nil(none)
      assert.equal(C.PERI_ESCRIPT, code)
      assert.equal(place .. ": unmakeable: it does not load", words)
      assert.equal(alive, policy.made - policy.freed)
    end
    policy.take = C.PERI_ESCRIPT
    for _, text in ipairs({ routes(route("Echo", "a", ',"balancer":"x"')), '{"balancer":"x"}' }) do
      local none, words, code = rig.prepare(text)
      assert.is_nil(none)
      assert.equal(C.PERI_ESCRIPT, code)
      assert.equal("a: the balancer x does not take the present endpoints", words)
      assert.equal(alive, policy.made - policy.freed)
    end
    ok(rig.open("Echo", nil, "x"))
    assert.equal(2, backend.requests)
  end)

  it("provides what the configuration says, beside what the application gave", function()
    local function provides(...)
      local all = {}
      for i, pair in ipairs({ ... }) do
        all[i] = ('{"service":"%s","address":"%s"}'):format(pair[1], pair[2])
      end
      return ('{"node":{"address":"127.0.0.1:7402"},"provides":[%s]}'):format(table.concat(all, ","))
    end
    local function to(name)
      return (rig.status(rig.fetch("Echo", { { "perigee-service", name } }, "x", true)))
    end
    local function slice(text)
      return ffi.new("struct peri_slice", { text, #text })
    end
    local a, b = M.address(), M.address()
    rig = M.rig({ config = provides({ "orders", a }, { "stock", a }) })
    local first = rig.backend(0, a)
    local second = rig.backend(1, b)
    assert.equal(0, C.peri_proxy_provide(rig.ptr.proxy, slice("mine"), slice(b)))
    local call = rig.open("Echo", { { "perigee-service", "orders" } }, false, true)
    rig.write(call, "a")
    assert.is_true(rig.until_true(function()
      return call.body.len == 1
    end))
    rig.reload(provides({ "stock", a }, { "new", b }))
    assert.equal(12, to("orders"))
    assert.equal(0, to("stock"))
    assert.equal(0, to("new"))
    assert.equal(0, to("mine"))
    assert.equal(2, first.requests)
    assert.equal(2, second.requests)
    assert.equal(1, first.accepted)
    finished(call)
    local none = rig.prepare(provides({ "stock", "nowhere" }))
    assert.is_nil(none)
    rig.reload(provides())
    assert.equal(12, to("stock"))
    assert.equal(0, to("mine"))
    assert.is_true(rig.until_true(function()
      return conns(first) == 0
    end))
    assert.equal(1, second.accepted)
    assert.equal(0, C.peri_proxy_provide(rig.ptr.proxy, slice("mine"), slice("")))
    assert.is_true(rig.until_true(function()
      return conns(second) == 0
    end))
  end)

  it("loses no call while it takes one configuration after another", function()
    rig = M.rig({ config = routes(route("Echo", "a")) })
    local _, a = rig.backend(0)
    local _, b = rig.backend(1)
    rig.publish("a " .. a .. "\nb " .. b)
    local calls = {}
    for i = 1, 200 do
      calls[i] = rig.open("Echo", nil, "x")
      local name = i % 2 == 0 and "a" or "b"
      local more = i % 3 == 0 and ',"balancer":"x"' or i % 5 == 0 and ',"balancer":"y"' or ""
      local default = i % 7 == 0 and ',"balancer":"z"' or ""
      assert.is_true(rig.prepare('{"routes":[' .. route("Echo", name, more) .. "]" .. default .. "}"))
      rig.step(1)
      if i % 11 == 0 then
        C.peri_proxy_abort(rig.ptr.proxy)
      else
        C.peri_proxy_commit(rig.ptr.proxy)
      end
    end
    for _, call in ipairs(calls) do
      ok(call)
    end
    assert.is_true(rig.ptr.policy.made - rig.ptr.policy.freed <= 6)
  end)
end)
