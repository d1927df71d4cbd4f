local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

-- A sanitizer's runtime must be the first library that is loaded.
if os.getenv("PERI_KIND") then
  return
end

describe("a folder that hangs", function()
  local car, folder, flag, library

  setup(function()
    sidecar.setup()
    library = sidecar.folder .. "/hang.so"
    local built = proc.run("/usr/bin/cc", { "-shared", "-fPIC", "-O1", "-o", library, proc.root .. "/spec/flow/hang/hang.c", "-ldl" })
    assert(built.code == 0, built.err)
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function policy(value)
    proc.write(folder .. "/fallback/mine.lua", ([[
      return require("perigee.policy").fallback({ name = "mine", fetch = function() return %q, { ttl = "1ms" } end })]]):format(value))
  end

  local function get(key)
    return car:call({ group = "g", key = key }).value
  end

  --- Waits until the sidecar hangs in such a call.
  local function await_hanging(call)
    proc.await(call, 10000, function()
      local file = assert(io.open(flag))
      local text = file:read("*a")
      file:close()
      return text:find(call .. "\n", 1, true) ~= nil
    end)
  end

  before_each(function()
    folder, flag = sidecar.folder .. "/slow", sidecar.folder .. "/hang"
    assert(os.execute("mkdir -p " .. folder .. "/fallback") == 0)
    policy("one")
    car = sidecar.start(([[return {
      workers = 2, drain = "2s", listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      policies = { path = { %q } }, groups = { g = { fallback = "mine" } },
    }]]):format(folder), { env = { LD_PRELOAD = library, PERI_HANG_FILE = flag } })
    policy("two")
    assert.equal(0, car:cli("policy", "reload").code)
    assert.equal("two", get("before"))
  end)

  after_each(function()
    os.remove(flag)
  end)

  it("keeps neither calls nor the admin page nor a rollback waiting", function()
    proc.write(flag, "")
    policy("three")
    car.process:kill("sighup")
    local asked = proc.start(sidecar.binary, { "policy", "reload", "--target", car.app })
    for i = 1, 20 do
      assert.equal("two", get("k" .. i))
    end
    assert.equal(200, (proc.http("GET", car.admin, "/ready")))
    assert.truthy(car:cli("policy", "list").out:find("\nfallback +mine +2 "))
    car.process:await_err("nothing was taken over: the files cannot be read: their folder hangs\n", 20000)
    assert.not_equal(0, (asked:wait(20000)))
    assert.truthy(asked.err:find("their folder hangs", 1, true), asked.err)
    assert.equal(0, car:cli("policy", "rollback", "mine").code)
    assert.equal("one", get("after"))
    -- What was edited meanwhile comes with the folder.
    os.remove(flag)
    car.process:await_err("fallback mine: version 3 runs", 20000)
    assert.equal("three", get("again"))
    car:stop()
  end)

  it("keeps the sidecar from ending no longer than its drain", function()
    proc.write(flag, "")
    policy("three")
    car.process:kill("sighup")
    await_hanging("opendir " .. folder .. "/")
    car:stop(15000)
  end)

  it("keeps a sidecar from ending for a while only, also when a fetch reads there", function()
    car:stop()
    proc.write(folder .. "/fallback/reader.lua", [[
      local file = require("perigee.file")
      return require("perigee.policy").fallback({ name = "reader", fetch = function(_, request) return file.read(request:key()) end })]])
    proc.write(folder .. "/a.txt", "a")
    car = sidecar.start(([[return {
      workers = 2, drain = "1s", listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, files = { %q },
      policies = { path = { %q } }, groups = { g = { fallback = "reader" }, h = { fallback = "mine" } },
    }]]):format(folder, folder), { env = { LD_PRELOAD = library, PERI_HANG_FILE = flag } })
    assert.equal("a", get("a.txt"))
    proc.write(flag, "")
    local asked = proc.start(sidecar.binary, { "get", "g", "./a.txt", "--target", car.app })
    await_hanging("open " .. folder)
    assert.equal("two", car:call({ group = "h", key = "k" }).value)
    car.process:kill("sigterm")
    car.process:wait(20000)
    assert.truthy(car.process.err:find("worker %d left handles open"), car.process.err)
    assert.not_equal(0, (asked:wait()))
  end)
end)

describe("a configuration that never ends", function()
  setup(function()
    sidecar.setup()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  it("keeps nobody waiting while it is read", function()
    local car = sidecar.start('return { workers = 1, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" } }')
    proc.write(car.file, "while true do end")
    car.process:kill("sighup")
    local seen = 0
    while not car.process.err:find("the old one stays: ", 1, true) do
      assert.equal(200, (proc.http("GET", car.admin, "/ready")))
      seen = seen + 1
    end
    assert.truthy(seen > 1)
    assert.truthy(car.process.err:find("budget", 1, true), car.process.err)
    car:stop()
  end)
end)
