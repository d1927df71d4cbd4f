local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("a change of the configuration", function()
  local car

  local function config(keys)
    return ([[return {
      workers = 2,
      node = { address = "127.0.0.1:1" },
      listen = { app = "127.0.0.1:0", mesh = "127.0.0.1:0", admin = "127.0.0.1:0" },
      %s
    }]]):format(keys)
  end

  local function groups(text)
    return config("groups = { " .. text .. " }")
  end

  setup(function()
    sidecar.setup()
  end)

  teardown(function()
    sidecar.teardown()
  end)

  after_each(function()
    if not car.process.code then
      car:stop()
    end
  end)

  local function write(text, words)
    car.process.err = ""
    proc.write(car.file, text)
    car.process:await_err(words or "took over the configuration")
  end

  it("keeps what a group holds, and takes its new keys", function()
    car = sidecar.start(groups('g = { fallback = { "static_reply", value = "old" } }'))
    assert.equal("old", car:call({ group = "g", key = "k" }).value)
    write(groups('g = { fallback = { "static_reply", value = "new" } }, h = { fallback = { "static_reply", value = "h" } }'))
    assert.equal("old", car:call({ group = "g", key = "k" }).value)
    assert.equal("new", car:call({ group = "g", key = "other" }).value)
    assert.equal("h", car:call({ group = "h", key = "k" }).value)
    write(groups(""))
    assert.equal("NotFound", car:call({ group = "g", key = "k" }).code)
  end)

  it("is refused as a whole for one key that cannot change", function()
    car = sidecar.start(groups('g = { shards = 4, fallback = { "static_reply", value = "old" } }'))
    write(
      groups('g = { shards = 8, fallback = { "static_reply", value = "new" } }, h = {}'),
      "the old one stays: [^\n]*groups%.g%.shards"
    )
    assert.equal("old", car:call({ group = "g", key = "k" }).value)
    assert.equal("NotFound", car:call({ group = "h", key = "k" }).code)
    car.process:await_err("changed: groups%.g%.shards: 4 %-> 8\n")
  end)

  it("is refused as a whole for one service that is wrong", function()
    local services = 'registry = { kind = "static", services = { orders = { { address = %q } } } }, %s'
    car = sidecar.start(config(services:format("127.0.0.1:2", "groups = {}")))
    write(config(services:format("nowhere", "groups = { h = {} }")), "the old one stays: [^\n]*nowhere")
    assert.equal("NotFound", car:call({ group = "h", key = "k" }).code)
    assert.truthy(car:cli("peers", "orders").out:find("127.0.0.1:2", 1, true))
  end)

  it("takes the drain time", function()
    car = sidecar.start(groups("") .. "")
    write(config('drain = "7s", groups = {}'))
    car.process:kill("sigterm")
    car.process:await_err("draining, for at most 7000 ms")
  end)

  it("that comes with the end of the sidecar keeps nobody from ending", function()
    car = sidecar.start(groups(""))
    for i = 1, 20 do
      proc.write(car.file, groups(("g%d = {}"):format(i)))
      car.process:kill("sighup")
    end
    car:stop()
  end)
end)
