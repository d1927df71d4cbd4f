local h2raw = require("spec.support.h2raw")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the sidecar's own reflection", function()
  local car, binary

  setup(function()
    sidecar.setup()
    local built = proc.run(proc.root .. "/spec/flow/reflect/build", { proc.build }, { limit_ms = 300000 })
    assert(built.code == 0, built.out .. built.err)
    binary = proc.build .. "/flow-reflect"
  end)

  before_each(function()
    car = sidecar.start('return { workers = 1, drain = "10s", listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = false }, groups = { g = {} } }')
  end)

  after_each(function()
    proc.destroy_all()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function ask(version, address, ...)
    local run = proc.run(binary, { "ask", version, address, ... })
    assert.equal(0, run.code, run.err)
    return run.out
  end

  for _, version in ipairs({ "v1", "v1alpha" }) do
    it("answers every message of a call in order, by " .. version, function()
      local out = ask(version, car.app, "list=", "symbol=perigee.v1.Mesh", "file=nope", "extensions=perigee.v1.Peer")
      assert.truthy(out:find("service groupcachepb.GroupCache\n", 1, true), out)
      assert.truthy(
        out:find(
          "asked list=\nfile perigee/v1/perigee.proto perigee.v1\nasked symbol=perigee.v1.Mesh\n"
            .. "error NotFound there is no such file: nope\nasked file=nope\n"
            .. "extensions perigee.v1.Peer 0\nasked extensions=perigee.v1.Peer\nend OK\n",
          1,
          true
        ),
        out
      )
      assert.equal("end OK\n", ask(version, car.app))
      car:stop()
    end)
  end

  it("answers many requests of one call", function()
    local many = {}
    for i = 1, 400 do
      many[i] = "list="
    end
    local out = ask("v1", car.app, unpack(many))
    assert.equal(400, select(2, out:gsub("asked list=\n", "")))
    assert.truthy(out:find("end OK\n", 1, true))
    car:stop()
  end)

  it("refuses what is no request, and other methods are not its own", function()
    local path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    assert.equal("InvalidArgument", car:call({ verb = "raw", path = path, body = "/////w==" }).code)
    assert.equal("ResourceExhausted", car:call({ verb = "raw", path = path, body = ("A"):rep(90000) }).code)
    assert.truthy(ask("v1", car.mesh, "list="):find("end Unimplemented", 1, true))
    car:stop()
  end)

  it("answers what is no gRPC call with an HTTP status", function()
    local conn, path = h2raw.dial(car.app), "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
    for i, case in ipairs({ { "GET", "application/grpc", "405" }, { "POST", "text/html", "415" }, { "POST", "application/grpcs", "415" } }) do
      local id = 2 * i - 1
      conn:headers(id, { { ":method", case[1] }, { ":scheme", "http" }, { ":path", path }, { ":authority", "x" }, { "content-type", case[2] } }, true)
      conn:await("an answer", function()
        return conn:blocks(id)[1]
      end)
      assert.same({ ":status", case[3] }, conn:blocks(id)[1][1])
    end
    conn:close()
    car:stop()
  end)

  it("keeps no drain waiting", function()
    local one = proc.start(binary, { "ask", "v1", car.app, "list=", "hold" })
    one:await_out("asked list=")
    car:stop(5000)
    one:await_out("end Unavailable this sidecar is stopping")
    one:wait()
  end)
end)
