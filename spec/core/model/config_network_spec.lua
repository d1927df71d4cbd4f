local support = require("spec.core.model.config_support")
local _, ffi = require("spec.support.ffi").load({ "model/config.h" })

local peers = "registry = { services = { GroupCache = { { address = '10.0.0.7:7402' }, { address = '10.0.0.8:7402' } } } }"

local function text(value)
  return value ~= nil and ffi.string(value) or nil
end

describe("the network side of a configuration", function()
  it("opens mesh when there are peers", function()
    local config = support.build("return { node = { address = '10.0.0.7:7402', zone = 'a', weight = 3 }, " .. peers .. " }")
    assert.equal("0.0.0.0:7402", text(config.listen_mesh))
    assert.equal("10.0.0.7:7402", text(config.node_address))
    assert.equal("a", text(config.node_zone))
    assert.equal(3, config.node_weight)
  end)

  it("opens mesh with a registry of kind etcd", function()
    local registry = "registry = { kind = 'etcd', endpoints = { 'http://127.0.0.1:2379' } }"
    local config = support.build("return { node = { address = '10.0.0.7:7402' }, " .. registry .. " }")
    assert.equal("0.0.0.0:7402", text(config.listen_mesh))
    support.fails(
      "return { " .. registry .. " }",
      "configuration: node.address: is needed: mesh listens on 0.0.0.0:7402, and peers must know which "
        .. "address to dial (listen.mesh = false turns it off)"
    )
    assert.is_nil(text(support.build("return { listen = { mesh = false }, " .. registry .. " }").listen_mesh))
    assert.is_nil(text(support.build("return { listen = { mesh = '127.0.0.1:0' }, " .. registry .. " }").node_address))
  end)

  it("keeps mesh closed when the only peer is this sidecar", function()
    local config = support.build([[return { node = { address = '10.0.0.7:7402' },
      registry = { services = { GroupCache = { { address = '10.0.0.7:7402' } } } } }]])
    assert.is_nil(text(config.listen_mesh))
  end)

  it("needs to know what peers dial", function()
    support.fails(
      "return {\n  " .. peers .. "\n}",
      "configuration: node.address: is needed: mesh listens on 0.0.0.0:7402, and peers must know which "
        .. "address to dial (listen.mesh = false turns it off)"
    )
    support.fails(
      "return {\n  node = { zone = 'a' },\n listen = { mesh = '[::]:1' }, " .. peers .. "\n}",
      "configuration:2: node.address: is needed: mesh listens on [::]:1, and peers must know which "
        .. "address to dial (listen.mesh = false turns it off)"
    )
    assert.is_nil(text(support.build("return { listen = { mesh = '0.0.0.0:7402' } }").node_address))
  end)

  it("takes the address of a mesh listener that is not a wildcard", function()
    local config = support.build("return { listen = { mesh = '10.0.0.7:7402' }, " .. peers .. " }")
    assert.equal("10.0.0.7:7402", text(config.node_address))
    assert.is_nil(text(support.build("return { listen = { mesh = '127.0.0.1:0' } }").node_address))
    assert.equal("unix:/m", text(support.build("return { listen = { mesh = 'unix:/m' } }").node_address))
  end)

  it("turns listeners off", function()
    local config = support.build("return { listen = { app = 'unix:/run/p', admin = false, mesh = false }, " .. peers .. " }")
    assert.equal("unix:/run/p", text(config.listen_app))
    assert.is_nil(text(config.listen_admin))
    assert.is_nil(text(config.listen_mesh))
    support.fails("return { listen = { app = true } }", "configuration:1: listen.app: must be an address, or false for none")
  end)

  it("checks addresses", function()
    support.fails("return { listen = { app = 'nope' } }", 'configuration:1: listen.app: "nope" is not an address such as "127.0.0.1:7400"')
    support.fails("return { node = { address = '0.0.0.0:7402' } }", 'configuration:1: node.address: "0.0.0.0:7402" is no address to dial')
    support.fails("return { listen = { ap = 'x:1' } }", 'configuration:1: listen.ap: unknown key; did you mean "app"?')
    support.fails("return { cluster = '' }", "configuration:1: cluster: must not be empty")
    support.fails("return { cluster = 'a\\0b' }", "configuration:1: cluster: must not hold a NUL byte")
  end)

  it("gives no two listeners one port", function()
    local function clash(listen, words)
      support.fails("return { listen = {" .. listen .. "} }", "configuration:1: listen." .. words)
    end
    clash("app = 'h:1', admin = 'h:1'", "admin: cannot listen on h:1: app listens on h:1")
    clash("app = '127.0.0.1:1', mesh = '0.0.0.0:1'", "mesh: cannot listen on 0.0.0.0:1: app listens on 127.0.0.1:1")
    clash("mesh = '[::]:1', admin = '[::1]:1'", "admin: cannot listen on [::1]:1: mesh listens on [::]:1")
    clash("app = 'unix:/p', admin = 'unix:/p'", "admin: cannot listen on unix:/p: app listens on unix:/p")
    clash("app = '127.0.0.1:7401'", "admin: cannot listen on 127.0.0.1:7401: app listens on 127.0.0.1:7401")
    support.build("return { listen = { app = '127.0.0.1:0', mesh = '127.0.0.1:0', admin = '127.0.0.1:0' } }")
    support.build("return { listen = { app = '127.0.0.1:1', mesh = '127.0.0.2:1', admin = '[::]:1' } }")
  end)

  it("knows whose callers are told why", function()
    local function explains(words)
      local config = support.build("return {" .. words .. "}")
      return config.explain_app, config.explain_mesh
    end
    assert.same({ true, false }, { explains("") })
    assert.same({ false, false }, { explains("explain = {}") })
    assert.same({ false, true }, { explains("explain = { 'mesh' }") })
    assert.same({ true, true }, { explains("explain = { 'mesh', 'app' }") })
    support.fails("return { explain = { 'admin' } }", 'configuration:1: explain[1]: there are "app" and "mesh", not "admin"')
    support.fails("return { explain = true }", "configuration:1: explain: must be a list")
  end)
end)
