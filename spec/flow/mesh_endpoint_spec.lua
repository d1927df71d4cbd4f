local f = require("spec.support.frames")
local h2raw = require("spec.support.h2raw")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("an endpoint", function()
  setup(mesh.setup)
  teardown(mesh.teardown)
  after_each(proc.destroy_all)

  --- Calls an application that listens at an address through one sidecar and through two,
  --- all of them dialled by addresses of that kind.
  local function carried(listen, dialled, mesh_listen, mesh_dialled)
    local app = mesh.app("app", listen)
    local port = app.address:match(":(%d+)$")
    local plain = mesh.car(mesh.static({ ["meshtest.Echo"] = { (dialled:gsub("PORT", port)) } }, true))
    local inner = mesh.car(
      ('provides = { { service = "meshtest.Echo", address = %q, health = "none" } },'):format((dialled:gsub("PORT", port))),
      ("mesh = %q"):format(mesh_listen)
    )
    local outer = mesh.car(mesh.static({ ["meshtest.Echo"] = { mesh_dialled or inner.mesh } }))
    for _, car in ipairs({ plain, outer }) do
      local seen = mesh.ok(car.app, { method = "Both", asks = 3 })
      assert.same({ "app", 3 }, { seen.name, seen.replies })
      car:stop()
    end
    inner:stop()
  end

  it("may be an IPv4 address", function()
    carried("127.0.0.1:0", "127.0.0.1:PORT", ("127.0.0.1:%d"):format(proc.free_port()))
  end)

  it("may be an IPv6 address", function()
    carried("[::1]:0", "[::1]:PORT", ("[::1]:%d"):format(proc.free_port()))
  end)

  it("may be a name", function()
    local port = proc.free_port()
    carried("127.0.0.1:0", "localhost:PORT", ("127.0.0.1:%d"):format(port), ("localhost:%d"):format(port))
  end)

  it("may be a socket", function()
    local folder = proc.folder()
    finally(function()
      proc.remove(folder)
    end)
    local app = mesh.app("socket", "unix:" .. folder .. "/app")
    local inner = mesh.car(
      ('provides = { { service = "meshtest.Echo", address = %q, health = "none" } },'):format(app.address),
      ('mesh = "unix:%s/mesh"'):format(folder)
    )
    local outer = mesh.car(mesh.static({ ["meshtest.Echo"] = { "unix:" .. folder .. "/mesh" } }))
    local seen = mesh.ok(outer.app, { method = "Both", asks = 20, bytes = 70000 })
    assert.same({ "socket", 20, 1400000 }, { seen.name, seen.replies, seen.bytes })
    outer:stop()
    inner:stop()
  end)

  it("that leaves keeps the streams it has, gets no new one, and is hung up on after the last", function()
    local old, new = mesh.app("old"), mesh.app("new")
    local function config(app)
      return ('return { listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, workers = 1, %s }'):format(
        mesh.static({ ["meshtest.Echo"] = { app.address } }, true)
      )
    end
    local car = sidecar.start(config(old))
    local held = h2raw.dial(car.app)
    held:headers(1, {
      { ":method", "POST" }, { ":scheme", "http" }, { ":path", "/meshtest.Echo/Both" }, { ":authority", "x" },
      { "content-type", "application/grpc" }, { "te", "trailers" },
    })
    held:data(1, f.message(""))
    held:await("the first reply", function()
      return #held:body(1) > 0
    end)
    proc.write(car.file, config(new))
    car.process:kill("sighup")
    proc.await("a call at the new one", 20000, function()
      return mesh.ok(car.app).name == "new"
    end)
    assert.same({ ["new:OK"] = 20 }, mesh.ok(car.app, { times = 20 }).names)
    local had = #held:body(1)
    held:data(1, f.message(""), true)
    held:await("the end", function()
      local _, over = held:body(1)
      return over
    end)
    assert.equal(2 * had, #held:body(1))
    local trailers = held:blocks(1)[2]
    assert.same({ "grpc-status", "0" }, trailers[1])
    held:close()
    proc.await("the end of the old connection", 20000, function()
      return car:metric("perigee_h2_connections", 'listener="client"') == 1
    end)
    car:stop()
  end)

  -- A sanitizer's runtime must be the first library that is loaded.
  if not os.getenv("PERI_KIND") then
    it("that is a name is followed to where it points, and old calls end where they began", function()
      local folder = proc.folder()
      finally(function()
        proc.remove(folder)
      end)
      local library = folder .. "/names.so"
      local built = proc.run("/usr/bin/cc", { "-shared", "-fPIC", "-O1", "-o", library, proc.root .. "/spec/flow/names/names.c", "-ldl" })
      assert(built.code == 0, built.err)
      local old = mesh.app("old")
      local port = old.address:match(":(%d+)$")
      local new = mesh.app("new", "127.0.0.2:" .. port)
      proc.write(folder .. "/name", "127.0.0.1")
      local car = sidecar.start(
        ([[return {
          workers = 1,
          listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
          %s
        }]]):format(mesh.static({ ["meshtest.Echo"] = { "echo.test:" .. port } }, true)),
        { env = { LD_PRELOAD = library, PERI_NAME_FILE = folder .. "/name" } }
      )
      local held = mesh.start_call(car.app, { method = "Both", asks = 3, act = "hang", timeout = 0 })
      old:await("hangs")
      proc.write(folder .. "/name", "")
      assert.equal("old", mesh.ok(car.app).name)
      -- Replaced at once: a file that is being written is an empty one.
      proc.write(folder .. "/next", "127.0.0.2")
      assert(os.rename(folder .. "/next", folder .. "/name"))
      proc.await("a call at the new address", 30000, function()
        local name = mesh.ok(car.app).name
        assert.truthy(name == "old" or name == "new", name)
        return name == "new"
      end)
      assert.is_nil(old.process.out:find("cancelled", 1, true))
      held:say("\n")
      assert.equal("Canceled", mesh.answer(held).code)
      old:await("cancelled")
      assert.equal("new", new.name)
      car:stop()
    end)
  end
end)
