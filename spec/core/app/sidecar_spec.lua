local uv = require("luv")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("a whole sidecar", function()
  setup(function()
    sidecar.folder = proc.folder()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  it("says where it listens, and leaves out what is off", function()
    local car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = {} }')
    assert.truthy(car.line:match("^perigee ready app=127%.0%.0%.1:%d+$"), car.line)
    car:stop()
  end)

  it("knows itself by the port that the mesh was given", function()
    local car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false }, groups = {} }')
    proc.write(
      car.file,
      ('return { workers = 1, listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false }, groups = {}, registry = { kind = "static", services = { GroupCache = { { address = "%s" } } } } }'):format(car.mesh)
    )
    car.process:await_err("took over the configuration")
    assert.truthy(car:cli("peers").out:find("this sidecar", 1, true))
    car:stop()
  end)

  it("stops for SIGINT as for SIGTERM", function()
    local car = sidecar.start('return { workers = 4, listen = { app = "127.0.0.1:0", admin = false }, groups = {} }')
    car.process:kill("sigint")
    assert.equal(0, (car.process:wait()))
    assert.truthy(car.process.err:find("stopped", 1, true))
  end)

  it("stops at once without a drain time", function()
    local car = sidecar.start('return { workers = 1, drain = "0", listen = { app = "127.0.0.1:0", admin = false }, groups = {} }')
    local socket = proc.connect(car.app)
    car:stop(5000)
    socket.close()
  end)

  it("ends with 1 when a listener cannot be had, after it has freed the others", function()
    local admin = sidecar.folder .. "/admin.sock"
    local port = proc.free_port()
    local holder = uv.new_tcp()
    assert(holder:bind("127.0.0.1", port))
    assert(holder:listen(1, function() end))
    local process = sidecar.launch(
      ('return { workers = 2, listen = { app = "127.0.0.1:%d", admin = "unix:%s" }, groups = {} }'):format(port, admin)
    )
    assert.equal(1, (process:wait()))
    assert.truthy(process.err:find(tostring(port), 1, true), process.err)
    assert.is_nil(io.open(admin))
    holder:close()
  end)

  it("takes the sockets that systemd hands over", function()
    local listener = uv.new_tcp()
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen(8, function() end))
    local port = listener:getsockname().port
    local file = sidecar.folder .. "/inherit.lua"
    proc.write(file, 'return { workers = 1, listen = { app = "127.0.0.1:1", admin = false }, groups = { g = { fallback = { "static_reply", value = "v" } } } }')
    local out, env, code = uv.new_pipe(false), {}, nil
    for name, value in pairs(uv.os_environ()) do
      -- A sanitizer that is loaded here must not be loaded into the shell.
      env[#env + 1] = name ~= "LD_PRELOAD" and name .. "=" .. value or nil
    end
    local ready = ""
    local handle = uv.spawn("/bin/sh", {
      args = { "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=app exec "$0" serve --config "$1"', sidecar.binary, file },
      env = env,
      stdio = { nil, out, 2, listener },
    }, function(status)
      code = status
    end)
    out:read_start(function(_, bytes)
      ready = ready .. (bytes or "")
    end)
    proc.await("the ready line", 10000, function()
      return ready:find("\n", 1, true) or code
    end)
    assert.truthy(ready:find("app=127.0.0.1:" .. port, 1, true), ready)
    listener:close()
    assert.equal("v\n", proc.run(sidecar.binary, { "get", "--target", "127.0.0.1:" .. port, "g", "k" }).out)
    handle:kill("sigterm")
    proc.await("the end", 10000, function()
      return code
    end)
    assert.equal(0, code)
    handle:close()
    out:close()
  end)
end)
