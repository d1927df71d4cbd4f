local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

local biggest = 20 * 1024 * 1024

describe("a call through sidecars", function()
  local app, inner, outer, plain
  setup(function()
    mesh.setup()
    app = mesh.app("one")
    inner = mesh.provider("echo", app.address)
    local route = 'routes = { { match = { service = "meshtest.*" }, to = "echo" } },'
    outer = mesh.car(mesh.static({ echo = { inner.mesh } }) .. route)
    plain = mesh.car(mesh.static({ echo = { app.address } }, true) .. route)
  end)
  teardown(function()
    outer:stop()
    plain:stop()
    inner:stop()
    mesh.teardown()
  end)

  for _, way in ipairs({ "two sidecars", "one sidecar" }) do
    describe("with " .. way, function()
      local target
      setup(function()
        target = way == "two sidecars" and outer.app or plain.app
      end)

      it("is answered in all four kinds of streaming", function()
        local one = mesh.ok(target, { method = "One" })
        assert.same({ "one", 3, 1 }, { one.name, one.bytes, one.replies })
        local up = mesh.ok(target, { method = "Up", asks = 50 })
        assert.same({ 50, 150, 1 }, { up.count, up.received, up.replies })
        local down = mesh.ok(target, { method = "Down", count = 50, size = 1000 })
        assert.same({ 50, 50000 }, { down.replies, down.bytes })
        local both = mesh.ok(target, { method = "Both", asks = 50 })
        assert.same({ 50, 150 }, { both.replies, both.bytes })
      end)

      it("carries nothing at all, too", function()
        assert.equal(0, mesh.ok(target, { bytes = 0 }).bytes)
        assert.equal(0, mesh.ok(target, { method = "Up", asks = 0 }).received)
        assert.equal(0, mesh.ok(target, { method = "Down", count = 0 }).replies)
        assert.equal(0, mesh.ok(target, { method = "Both", asks = 0 }).replies)
      end)

      it("carries messages that are larger than any buffer, both ways", function()
        assert.equal(biggest, mesh.ok(target, { bytes = biggest }).bytes)
        assert.equal(3 * biggest, mesh.ok(target, { method = "Up", asks = 3, bytes = biggest }).received)
        assert.equal(3 * biggest, mesh.ok(target, { method = "Down", count = 3, size = biggest }).bytes)
      end)

      it("shows the application what the caller sent, and the caller what it answered", function()
        local seen = mesh.ok(target, { header = "x-one=1,x-one=2,x-raw-bin=abc" })
        assert.same({ "1|2", "abc" }, { seen.asked["x-one"], seen.asked["x-raw-bin"] })
        assert.is_nil(seen.asked["perigee-hop"])
        assert.is_nil(seen.asked["perigee-service"])
        assert.equal(target, seen.asked[":authority"])
        assert.truthy(seen.asked["user-agent"]:find("^grpc%-go/"))
        assert.same({ "one", "1|2", "00ff" }, { seen.header.who, seen.header.twice, seen.header["raw-bin"] })
        assert.same({ "one", "01fe" }, { seen.trailer["end"], seen.trailer["end-bin"] })
      end)

      it("keeps every status and its words", function()
        for code, name in ipairs({
          "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
          "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
          "DataLoss", "Unauthenticated",
        }) do
          local seen = mesh.call(target, { code = code, message = "wörter: 100%" .. code })
          assert.same({ name, "wörter: 100%" .. code, "one" }, { seen.code, seen.message, seen.trailer["end"] })
        end
        local down = mesh.call(target, { method = "Down", count = 3, code = 9, message = "half way" })
        assert.same({ "FailedPrecondition", "half way", 3 }, { down.code, down.message, down.replies })
      end)

      it("hands on the deadline less the time spent, and keeps it", function()
        local seen = mesh.ok(target, { timeout = "50s" })
        assert.is_true(seen.left_ms > 30000 and seen.left_ms <= 50000, seen.left_ms)
        assert.equal(-1, mesh.ok(target, { timeout = 0 }).left_ms)
        local late = mesh.call(target, { timeout = "1s", act = "hang" })
        assert.equal("DeadlineExceeded", late.code)
        assert.is_true(late.millis >= 990 and late.millis < 10000 * proc.patience, late.millis)
        app:await("cancelled")
      end)

      it("is cancelled at the application when the caller cancels", function()
        for _, method in ipairs({ "One", "Up", "Down", "Both" }) do
          local call = mesh.start_call(target, { method = method, act = "hang", timeout = 0 })
          app:await("hangs")
          call:say("\n")
          assert.equal("Canceled", mesh.answer(call).code)
          app:await("cancelled")
        end
      end)

      it("is cancelled at the application when the caller dies", function()
        local call = mesh.start_call(target, { act = "hang", timeout = 0 })
        app:await("hangs")
        call:destroy()
        app:await("cancelled")
      end)
    end)
  end

  it("is left with nothing open", function()
    for _, car in ipairs({ outer, inner, plain }) do
      assert.equal(0, car:metric("perigee_proxy_inflight"))
    end
  end)
end)

describe("the balancer of a stream", function()
  local folder

  setup(function()
    mesh.setup()
    folder = proc.folder()
    assert(require("lfs").mkdir(folder .. "/balancer"))
    proc.write(folder .. "/balancer/counting.lua", [[
      local metrics = require("perigee.metrics")
      local policy = require("perigee.policy")
      local picks, dones = metrics.counter("picks"), metrics.counter("dones")
      return policy.balancer({
        name = "counting",
        pick = function(_, _, endpoints)
          picks:add()
          return endpoints[1]
        end,
        done = function()
          dones:add()
        end,
      })
    ]])
  end)
  teardown(function()
    proc.remove(folder)
    mesh.teardown()
  end)

  it("is asked once and told once, however many messages there are", function()
    local app = mesh.app("one")
    local car = mesh.car(
      mesh.static({ ["meshtest.Echo"] = { app.address } }, true)
        .. ('balancer = { "counting" }, policies = { path = { %q } },'):format(folder)
    )
    assert.equal(500, mesh.ok(car.app, { method = "Both", asks = 500 }).replies)
    assert.equal(1, car:metric("perigee_policy_picks_total"))
    assert.equal(1, car:metric("perigee_policy_dones_total"))
    car:stop()
  end)
end)
