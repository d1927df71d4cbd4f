local uv = require("luv")
local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local support = require("spec.core.registry.registry_support")
local C = cffi.load({ "base/error.h" })

describe("what a sidecar registers", function()
  local cluster, registry, listener
  local self = "127.0.0.1:7402"

  setup(function()
    cluster = etcd.start({ fast = true })
  end)

  teardown(function()
    cluster:stop()
  end)

  before_each(function()
    cluster:ctl("del", "--prefix", "")
  end)

  after_each(function()
    if registry then
      registry:leave(2000)
      assert.is_true(registry:free())
      registry = nil
    end
    if listener then
      listener:close()
      listener = nil
    end
  end)

  local function listen(port)
    listener = uv.new_tcp()
    assert(listener:bind("127.0.0.1", port or 0))
    assert(listener:listen(64, function() end))
    return "127.0.0.1:" .. listener:getsockname().port
  end

  local function tree(provides)
    return support.tree(cluster.endpoints, self, { provides = provides, node = { address = self, zone = "z", weight = 9 } })
  end

  local function start(provides)
    registry = assert(support.start(tree(provides)))
    registry:enter()
  end

  local function value(service)
    local found = cluster:read(service .. "/" .. self)[service .. "/" .. self]
    return found and found.value
  end

  local function await_gone(service)
    registry:await(service .. " to go", function()
      return not value(service)
    end)
  end

  it("is itself in the cluster, as a sidecar", function()
    start()
    registry:await("its record", function()
      return registry:settled() and registry:addresses("c") == self
    end)
    assert.equal('{"Op":0,"Addr":"127.0.0.1:7402","Metadata":{"weight":9,"zone":"z","protocol":"perigee"}}', value("c"))
  end)

  it("is what it provides, under its own address, while that answers", function()
    local address = listen()
    start({ { service = "orders", address = address, version = "1.2", weight = 5, metadata = { team = "x" } } })
    registry:await("orders", function()
      return registry:settled() and registry:addresses("orders") == self
    end)
    assert.equal(
      '{"Op":0,"Addr":"127.0.0.1:7402","Metadata":{"weight":5,"zone":"z","version":"1.2","protocol":"perigee","team":"x"}}',
      value("orders")
    )
    listener:close()
    listener = nil
    await_gone("orders")
    local own = registry:status().own.orders
    assert.equal("out", own.state)
    assert.truthy(own.reason:find("unhealthy", 1, true), own.reason)
    listen(tonumber(address:match("%d+$")))
    registry:await("orders again", function()
      return value("orders")
    end)
  end)

  it("follows the configuration, and leaves alone what did not change", function()
    start({ { service = "a", address = "127.0.0.1:1", health = "none" }, { service = "b", address = "127.0.0.1:1", health = "none" } })
    registry:await("both", function()
      return registry:settled() and value("a") and value("b")
    end)
    local before = cluster:read("")
    local again = tree({ { service = "b", address = "127.0.0.1:1", health = "none" }, { service = "d", address = "127.0.0.1:1", health = "none" } })
    assert.equal(0, (registry:update(again)))
    await_gone("a")
    registry:await("the new one", function()
      return value("d")
    end)
    local after = cluster:read("")
    assert.equal(before["b/" .. self].mod_revision, after["b/" .. self].mod_revision)
    assert.equal(before["c/" .. self].mod_revision, after["c/" .. self].mod_revision)
    -- Another weight is another record under the same key.
    again.provides[1].weight = 77
    assert.equal(0, (registry:update(again)))
    registry:await("another weight", function()
      return value("b"):find('"weight":77', 1, true)
    end)
  end)

  it("is put back when somebody deletes it", function()
    start()
    registry:await("its record", function()
      return registry:settled()
    end)
    cluster:ctl("del", "--prefix", "c/")
    registry:await("its record again", function()
      return value("c")
    end)
  end)

  it("is what an application asks for, until it asks otherwise", function()
    start()
    local address = listen()
    local code, outcome = registry:register({ service = "carts", address = address, weight = 3, metadata = '{"k":1}' })
    assert.equal(0, code)
    assert.equal(0, outcome.count)
    registry:await("an answer", function()
      return outcome.count == 1
    end)
    assert.equal(0, outcome.error)
    assert.truthy(value("carts"):find('"weight":3,"zone":"z","protocol":"perigee","k":1', 1, true), value("carts"))
    -- The same service again replaces it.
    local _, second = registry:register({ service = "carts", address = address, weight = 4 })
    registry:await("an answer", function()
      return second.count == 1
    end)
    registry:await("the other weight", function()
      return value("carts"):find('"weight":4', 1, true)
    end)
    local gone, out = registry:deregister("carts")
    assert.equal(0, gone)
    registry:await("an answer", function()
      return out.count == 1
    end)
    assert.equal(0, out.error)
    assert.is_nil(value("carts"))
    -- Calls for it go to the application as long as it is asked for.
    assert.equal(("carts\t%s\ncarts\t\n"):format(address), registry:provided())
    assert.equal(tonumber(C.PERI_ENOTFOUND), (registry:deregister("carts")))
  end)

  it("is refused in words when it is wrong", function()
    start({ { service = "orders", address = "127.0.0.1:1", health = "none" } })
    local function refused(fields, with)
      local code, outcome, words = registry:register(fields)
      assert.truthy(code < 0)
      assert.equal(0, outcome.count)
      assert.truthy(words:find(with, 1, true), words)
      return code
    end
    assert.equal(tonumber(C.PERI_EEXIST), refused({ service = "orders", address = "127.0.0.1:1" }, "by the configuration"))
    assert.equal(tonumber(C.PERI_EEXIST), refused({ service = "c", address = "127.0.0.1:1" }, "by the configuration"))
    refused({ service = "", address = "127.0.0.1:1" }, "no name")
    refused({ service = "/x", address = "127.0.0.1:1" }, "no name")
    refused({ service = "x", address = "nowhere" }, "nowhere")
    refused({ service = "x", address = "127.0.0.1:1", health = "http" }, "health")
    refused({ service = "x", address = "127.0.0.1:1", weight = 65536 }, "65535")
    refused({ service = "x", address = "127.0.0.1:1", metadata = "[1]" }, "object")
    refused({ service = "x", address = "127.0.0.1:1", metadata = "{" }, "")
    assert.equal(tonumber(C.PERI_EINVAL), (registry:deregister("orders")))
    assert.is_nil(registry:status().own.x)
    assert.truthy(proc.patience)
  end)
end)
