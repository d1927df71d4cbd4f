local cffi = require("spec.support.ffi")
local setups = require("spec.core.app.setup_support")
local C, ffi = cffi.load({ "app/restart.h" })

describe("what is read at the start only", function()
  local function names(before, after, capacity)
    local text = ffi.new("char[?]", capacity or 256)
    local any = C.peri_restart_names(
      setups.read("return { " .. before .. " }"),
      setups.read("return { " .. after .. " }"),
      text,
      capacity or 256
    )
    assert.equal(any, text[0] ~= 0)
    return ffi.string(text)
  end

  it("is named", function()
    for name, pair in pairs({
      workers = { "workers = 1", "workers = 2" },
      cluster = { "", 'cluster = "other"' },
      ["node.zone"] = { 'node = { zone = "a" }', 'node = { zone = "b" }' },
      ["node.weight"] = { "node = { weight = 2 }", "" },
      ["node.address"] = { "", 'node = { address = "127.0.0.1:1" }' },
      ["listen.app"] = { "", 'listen = { app = "127.0.0.1:1" }' },
      ["listen.mesh, node.address"] = { "", 'node = { address = "h:1" }, listen = { mesh = "127.0.0.1:1" }' },
      ["listen.admin"] = { "", "listen = { admin = false }" },
      ["limits.idle"] = { "", 'limits = { idle = "10s" }' },
      ["limits.message_bytes"] = { 'limits = { message_bytes = "1MiB" }', "" },
    }) do
      local got = names(pair[1], pair[2])
      local want, found = {}, {}
      for each in name:gmatch("[%w_.]+") do
        want[each] = true
      end
      for each in got:gmatch("[%w_.]+") do
        found[each] = true
      end
      assert.same(want, found)
    end
  end)

  it("is how etcd is reached, but not what is looked for there", function()
    local function etcd(more)
      return ('node = { address = "h:1" }, registry = { kind = "etcd", endpoints = { "h:2" }, %s }'):format(more)
    end
    assert.equal("", names(etcd(""), etcd("")))
    assert.equal("registry.password", names(etcd('user = "u", password = "a"'), etcd('user = "u", password = "b"')))
    assert.equal("registry.ttl", names(etcd(""), etcd('ttl = "20s"')))
    assert.equal("", names(etcd(""), etcd('ttl = "10s"')))
    assert.equal("registry.endpoints", names(etcd(""), (etcd(""):gsub('"h:2"', '"h:2", "h:3"'))))
    assert.truthy(names("", etcd("")):find("registry.kind", 1, true))
  end)

  it("is none of what is taken over while it runs", function()
    local static = 'node = { address = "127.0.0.1:1" }, registry = { kind = "static", services = { GroupCache = { %s } } }'
    assert.equal("", names(static:format('{ address = "127.0.0.1:1" }'), static:format('{ address = "127.0.0.1:2" }')))
    assert.equal("", names("", 'registry = { kind = "static" }'))
    assert.equal("", names("", 'groups = { a = {} }, drain = "1s", balancer = "pin", files = { "/" }, policies = { path = { "p" } }'))
    assert.equal("", names("", 'routes = { { match = {}, to = "x" } }'))
  end)

  it("is not what only follows from something else", function()
    -- A sidecar that gets its first peer would listen to it after a restart.
    local lone = 'node = { address = "127.0.0.1:1" }'
    assert.equal("", names(lone, lone .. ', registry = { services = { GroupCache = { { address = "127.0.0.1:2" } } } }'))
  end)

  it("is cut when there is no room", function()
    assert.equal("workers, cl", names("", 'workers = 7, cluster = "x"', 12))
  end)
end)
