local uv = require("luv")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

local config = 'return { workers = 1, drain = "3s", listen = { app = "127.0.0.1:0", mesh = "0.0.0.0:0", admin = "127.0.0.1:0" }, node = { address = "127.0.0.1:9" }, groups = {} }'

local launched = {}

--- A sidecar that runs a shell script as its application.
local function launch(script, text)
  local process = sidecar.launch(text or config, { args = { "--", "/bin/sh", "-c", script, "application" } })
  launched[#launched + 1] = process
  return process
end

describe("an application beside its sidecar", function()
  setup(function()
    sidecar.folder = proc.folder()
  end)

  after_each(function()
    -- Only a spec that failed leaves one behind.
    for _, process in ipairs(launched) do
      local pid = process.err:match("as process (%d+)")
      if pid and not process.code then
        uv.kill(tonumber(pid), "sigkill")
      end
    end
    launched = {}
  end)

  teardown(function()
    sidecar.teardown()
  end)

  it("finds the addresses in its environment", function()
    local process = launch('echo "app=$PERIGEE_APP_ADDRESS mesh=$PERIGEE_MESH_ADDRESS admin=$PERIGEE_ADMIN_ADDRESS end"')
    assert.equal(0, (process:wait()))
    local app, mesh, admin = process.out:match("perigee ready app=(%S+) mesh=(%S+) admin=(%S+)\n")
    assert.truthy(app, process.out)
    local dialled = mesh:gsub("0%.0%.0%.0", "127.0.0.1")
    assert.truthy(process.out:find(("app=%s mesh=%s admin=%s end\n"):format(app, dialled, admin), 1, true), process.out)
  end)

  it("finds no address of a listener that is off", function()
    local process = launch(
      'echo "mesh=${PERIGEE_MESH_ADDRESS-none} admin=${PERIGEE_ADMIN_ADDRESS-none} end"',
      'return { workers = 1, listen = { app = "127.0.0.1:0", admin = false }, groups = {} }'
    )
    assert.equal(0, (process:wait()))
    assert.truthy(process.out:find("mesh=none admin=none end\n", 1, true), process.out)
  end)

  it("may open as many files as its sidecar was told, not as many as that one may", function()
    local starter = sidecar.folder .. "/starter"
    proc.write(starter, '#!/bin/sh\nulimit -Sn 500\nexec "$PERI_BINARY" "$@"\n')
    os.execute("chmod +x " .. starter)
    local process = sidecar.launch(config, {
      binary = starter,
      args = { "--", "/bin/sh", "-c", 'echo "its=$(ulimit -Sn) ours=$(ulimit -Hn)"' },
      env = { PERI_BINARY = sidecar.binary },
    })
    assert.equal(0, (process:wait()))
    local its, ours = process.out:match("its=(%d+) ours=(%d+)")
    assert.equal("500", its)
    assert.truthy(tonumber(ours) > 500)
  end)

  it("holds no descriptor of the sidecar", function()
    local process = launch("ls -l /proc/self/fd >&2; exit 0")
    assert.equal(0, (process:wait()))
    for number, what in process.err:gmatch("(%d+) %-> (%a+_?%a*):") do
      assert.is_true(tonumber(number) < 3 or (what ~= "socket" and what ~= "anon_inode"), process.err)
    end
  end)

  it("ends the sidecar with its status", function()
    local process = launch("exit 42")
    assert.equal(42, (process:wait()))
    assert.truthy(process.err:find("/bin/sh ended with status 42", 1, true), process.err)
    assert.truthy(process.err:find("stopped", 1, true), process.err)
    process = launch("kill -KILL $$")
    assert.equal(137, (process:wait()))
    assert.truthy(process.err:find("/bin/sh was ended by signal 9", 1, true), process.err)
  end)

  it("gets SIGTERM when the sidecar does, and is waited for", function()
    for _, signal in ipairs({ "sigterm", "sigint" }) do
      local process = launch("trap 'echo asked; sleep 0.3; echo done; exit 3' TERM; echo begun; while :; do sleep 0.05; done")
      process:await_out("begun")
      process:kill(signal)
      assert.equal(3, (process:wait()))
      assert.truthy(process.out:find("asked\ndone\n", 1, true), process.out)
    end
  end)

  it("ends with the signal's status when it does not catch it", function()
    local process = launch("echo begun; exec sleep 60")
    process:await_out("begun")
    process:kill("sigterm")
    assert.equal(143, (process:wait()))
  end)

  it("is killed when the drain time is over", function()
    local process = launch(
      "trap '' TERM; echo begun; while :; do sleep 0.05; done",
      'return { workers = 1, drain = "500ms", listen = { app = "127.0.0.1:0", admin = false }, groups = {} }'
    )
    process:await_out("begun")
    process:kill("sigterm")
    assert.equal(137, (process:wait()))
    assert.truthy(process.err:find("the application had not ended after 500 ms", 1, true), process.err)
    assert.truthy(process.err:find("killing /bin/sh", 1, true), process.err)
  end)

  it("is killed by a second SIGTERM", function()
    local process = launch("trap 'echo asked' TERM; echo begun; while :; do sleep 0.05; done")
    process:await_out("begun")
    process:kill("sigterm")
    process:await_out("asked")
    process:kill("sigterm")
    assert.equal(137, (process:wait()))
    assert.truthy(process.err:find("stopping at once", 1, true), process.err)
  end)

  it("gets the signals that are its own", function()
    local process = launch([[
      for name in QUIT USR1 USR2 WINCH; do trap "echo got $name" $name; done
      trap 'exit 0' TERM
      echo begun; while :; do sleep 0.05; done]])
    process:await_out("begun")
    for name, signal in pairs({ QUIT = "sigquit", USR1 = "sigusr1", USR2 = "sigusr2", WINCH = "sigwinch" }) do
      process:kill(signal)
      process:await_out("got " .. name)
    end
    process:kill("sighup")
    process:await_err("the configuration is the same")
    process:kill("sigterm")
    assert.equal(0, (process:wait()))
    assert.is_nil(process.out:find("HUP", 1, true))
  end)

  it("is missed as other programs miss theirs", function()
    local process = sidecar.launch(config, { args = { "--", "no-such-command-anywhere" } })
    assert.equal(127, (process:wait()))
    assert.truthy(process.err:find("cannot run no-such-command-anywhere: ", 1, true), process.err)
    process = sidecar.launch(config, { args = { "--", "/etc/passwd" } })
    assert.equal(126, (process:wait()))
  end)
end)
