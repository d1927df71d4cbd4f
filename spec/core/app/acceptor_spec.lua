local f = require("spec.support.frames")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the acceptor", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 3,
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      limits = { conns_per_listener = 4 },
      groups = { g = {} },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  --- A connection on which the sidecar's SETTINGS have come, or that was closed.
  local function connect()
    local socket = proc.connect(car.app)
    socket.send(f.preface .. f.frame(f.SETTINGS, 0, 0, ""))
    socket.await("SETTINGS or an end", function()
      return socket.closed or f.seen(socket.got, f.SETTINGS)
    end)
    return socket
  end

  it("closes what is over the limit, and takes more once some have gone", function()
    local sockets = {}
    for i = 1, 4 do
      sockets[i] = connect()
      assert.is_false(sockets[i].closed)
    end
    local over = connect()
    assert.is_truthy(over.closed)
    over.close()
    assert.equal(4, car:metric("perigee_connections_accepted_total", 'listener="app"'))
    assert.equal(1, car:metric("perigee_connections_refused_total", 'listener="app",reason="limit"'))
    car.process:await_err("conns_per_listener is reached")
    for i = 1, 4 do
      sockets[i].close()
    end
    local closed = true
    for _ = 1, 100 do
      local socket = connect()
      closed = socket.closed
      socket.close()
      if not closed then
        break
      end
      proc.watch(50) -- the four have not gone yet
    end
    assert.is_false(closed)
  end)
end)
