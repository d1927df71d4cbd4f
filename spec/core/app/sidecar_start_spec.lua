local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the start of a sidecar", function()
  setup(function()
    sidecar.folder = proc.folder()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  it("is over when the registry was read, and calls are answered before", function()
    local cluster = etcd.start({ fast = true })
    cluster:freeze()
    local app, mesh, admin = proc.free_port(), proc.free_port(), proc.free_port()
    local file = sidecar.folder .. "/late.lua"
    proc.write(
      file,
      ([[return { workers = 1, listen = { app = "127.0.0.1:%d", mesh = "127.0.0.1:%d", admin = "127.0.0.1:%d" },
        registry = { kind = "etcd", endpoints = { "%s" }, ttl = "5s" }, groups = { g = { fallback = { "static_reply", value = "v" } } } }]]):format(
        app,
        mesh,
        admin,
        cluster.endpoints[1]
      )
    )
    local process = proc.start(proc.build .. "/perigee", {
      "serve", "--config", file, "--", "/bin/sh", "-c", "trap 'exit 0' TERM; echo child; while :; do sleep 0.05; done",
    })
    process:await_err("ready to run /bin/sh once the registry was read")
    local get = proc.run(proc.build .. "/perigee", { "get", "--target", "127.0.0.1:" .. app, "g", "k" })
    assert.same({ 0, "v" }, { get.code, (get.out:gsub("\n$", "")) })
    assert.equal("", process.out)
    cluster:thaw()
    proc.await("the ready line", 10000, function()
      return process.out:find("perigee ready app=127.0.0.1:" .. app, 1, true)
    end)
    process:await_out("child")
    process:kill("sigterm")
    assert.equal(0, (process:wait()))
    cluster:stop()
  end)
end)
