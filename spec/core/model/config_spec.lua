local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h" })

describe("a configuration", function()
  it("has defaults for everything", function()
    local config = support.build("return {}")
    assert.equal("", ffi.string(config.file))
    assert.equal(0, config.workers)
    assert.equal("127.0.0.1:7400", ffi.string(config.listen_app))
    assert.equal("127.0.0.1:7401", ffi.string(config.listen_admin))
    assert.is_true(config.listen_mesh == nil)
    assert.is_true(config.node_address == nil)
    assert.equal("", ffi.string(config.node_zone))
    assert.equal(1, config.node_weight)
    assert.equal("static", ffi.string(config.registry_kind))
    assert.equal("GroupCache", ffi.string(config.cluster))
    assert.equal(5000, tonumber(config.drain_ms))
    assert.equal(0, tonumber(config.group_count))
    assert.equal(0, tonumber(config.service_count))
    assert.equal(-1, tonumber(config.limits.message_bytes))
    assert.equal(-1, tonumber(config.limits.keepalive_timeout_ms))
  end)

  it("names the line of an unknown key and the nearest known one", function()
    support.fails(
      'return {\n  drian = "5s",\n}',
      '/etc/p/perigee.lua:2: drian: unknown key; did you mean "drain"?',
      "/etc/p/perigee.lua"
    )
    support.fails("return { xyzzy = 1 }", "/etc/p/perigee.lua:1: xyzzy: unknown key", "/etc/p/perigee.lua")
  end)

  it("must be a table", function()
    support.fails("return 7", "configuration: must be a table")
    support.fails('return { "x" }', "configuration: a table with named keys, not a list")
  end)

  it("tells which of its folders are not there", function()
    local config = support.build("return { policies = { path = { '/', '/none/a' } }, files = { '/none/b', '/dev/null' } }")
    local told = {}
    local tell = ffi.cast("void (*)(void *, const char *, const char *)", function(_, key, folder)
      told[#told + 1] = ffi.string(key) .. " " .. ffi.string(folder)
    end)
    C.peri_config_absent(config, tell, nil)
    tell:free()
    assert.same({ "policies.path /none/a", "files /none/b", "files /dev/null" }, told)
  end)

  it("takes relative paths from its folder", function()
    local config = support.build(
      'return { files = { "/usr/share/iso-codes", "./data", "more" }, policies = { path = "policies" } }',
      "/etc/p/perigee.lua"
    )
    assert.equal(3, tonumber(config.file_count))
    assert.equal("/usr/share/iso-codes", ffi.string(config.files[0]))
    assert.equal("/etc/p/data", ffi.string(config.files[1]))
    assert.equal("/etc/p/more", ffi.string(config.files[2]))
    assert.equal(1, tonumber(config.policy_path_count))
    assert.equal("/etc/p/policies", ffi.string(config.policy_paths[0]))
  end)

  it("takes a relative file's folder from the current one", function()
    local config = support.build('return { files = { "data" } }', "conf/perigee.lua")
    local path = ffi.string(config.files[0])
    assert.equal("/", path:sub(1, 1))
    assert.equal("/conf/data", path:sub(-10))
  end)

  it("checks numbers and durations", function()
    assert.equal(3, support.build('return { workers = 3, drain = "1500us" }').workers)
    assert.equal(2, tonumber(support.build('return { drain = "1500us" }').drain_ms))
    support.fails("return { workers = 0 }", "configuration:1: workers: must be 1 to 256, not 0")
    support.fails("return { workers = 1.5 }", "configuration:1: workers: must be a whole number")
    support.fails(
      'return { drain = "soon" }',
      'configuration:1: drain: "soon" is not a duration such as "250ms", "2s", "1h"'
    )
  end)

  it("counts its references", function()
    local config = support.build("return {}")
    assert.equal(config, C.peri_config_ref(config))
    C.peri_config_unref(config)
    assert.equal("static", ffi.string(config.registry_kind))
    C.peri_config_unref(nil)
  end)

  it("finds a service by name", function()
    local config =
      support.build(
        'return { listen = { mesh = false }, registry = { services = { a = {}, b = { { address = "10.0.0.9:1" } } } } }'
      )
    assert.equal(1, tonumber(C.peri_config_service(config, cffi.slice("b")).endpoint_count))
    assert.is_true(C.peri_config_service(config, cffi.slice("c")) == nil)
  end)
end)
