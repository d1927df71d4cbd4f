local ffi = require("ffi")
local discovery = require("spec.support.discovery")
local f = require("spec.support.frames")
local h2raw = require("spec.support.h2raw")
local mesh = require("spec.support.mesh")
local proc = require("spec.support.proc")

ffi.cdef([[
struct flow_rlimit { unsigned long soft, hard; };
int getrlimit(int resource, struct flow_rlimit *ret_limit);
int setrlimit(int resource, const struct flow_rlimit *limit);
]])

-- What is long in `make soak` has a short form in `make test`.
local either = discovery.either
local IDLE, STREAMS, SECONDS = either(10000, 300), either(1000, 200), either(60, 3)

local request = {
  { ":method", "POST" },
  { ":scheme", "http" },
  { ":path", "/meshtest.Echo/One" },
  { ":authority", "x" },
  { "content-type", "application/grpc" },
  { "te", "trailers" },
}

--- As many descriptors as this process may have.
local function raise_limit()
  local RLIMIT_NOFILE = 7
  local limit = ffi.new("struct flow_rlimit")
  assert(ffi.C.getrlimit(RLIMIT_NOFILE, limit) == 0)
  limit.soft = limit.hard
  assert(ffi.C.setrlimit(RLIMIT_NOFILE, limit) == 0)
  assert(limit.hard > IDLE + 1000, "too few descriptors for this: " .. tonumber(limit.hard))
end

--- Resident memory in KB.
local function resident(car)
  local file = assert(io.open("/proc/" .. car.process.pid .. "/status"))
  local kb = file:read("*a"):match("VmRSS:%s+(%d+)")
  file:close()
  return tonumber(kb)
end

describe("a sidecar with many connections and streams", function()
  local car, idle
  local answered = 0

  setup(function()
    mesh.setup()
    raise_limit()
    local app = mesh.app("one")
    car = mesh.car(mesh.static({ ["meshtest.Echo"] = { app.address } }, true) .. "limits = { conns_per_listener = 20000 },")
  end)
  teardown(function()
    for _, conn in ipairs(idle or {}) do
      conn:close()
    end
    car:stop()
    mesh.teardown()
  end)

  local function call(conn, stream)
    conn:headers(stream, request)
    conn:data(stream, f.message(""), true)
  end

  --- One that has made a call, as an application does before it falls idle.
  local function connect()
    local conn = h2raw.dial(car.app)
    conn.script = function(_, frame)
      -- The second header block of a stream, with its end: the trailers.
      if frame.kind == f.HEADERS and frame.flags % 2 == 1 then
        assert(frame.fields[1][2] == "0", frame.fields[1][2])
        answered = answered + 1
      end
    end
    call(conn, 1)
    return conn
  end

  local function await_answers(count)
    proc.await("answers", 60000, function()
      return answered == count
    end)
  end

  it("loses none of either in a long time", function()
    mesh.ok(car.app, { times = 100 })
    local before = resident(car)
    idle = {}
    for i = 1, IDLE do
      idle[i] = connect()
      if i % 100 == 0 then
        await_answers(i)
      end
    end
    local each = (resident(car) - before) / IDLE
    assert(discovery.long == false or os.getenv("PERI_KIND") or each <= 24, each .. " KB for a connection")

    local began = discovery.now()
    local storm = mesh.storm(car.app, { workers = STREAMS, method = "Both", asks = SECONDS, delay = 1000, timeout = 0 })
    discovery.until_true("all streams at once", 60000, function()
      return car:metric("perigee_proxy_inflight") == STREAMS
    end)
    storm.process:hang_up()
    local seen = mesh.answer(storm.process, (SECONDS + 120) * 1000)
    assert.same({ OK = seen.calls }, seen.codes, next(seen.messages))
    assert.is_true(seen.calls >= STREAMS)
    assert.is_true(discovery.now() - began >= SECONDS * 1000)

    for i, conn in ipairs(idle) do
      assert.is_falsy(conn.closed)
      call(conn, 3)
      if i % 100 == 0 then
        await_answers(IDLE + i)
      end
    end
    assert.equal(0, car:metric("perigee_proxy_inflight"))
  end)
end)
