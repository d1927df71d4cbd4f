local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "registry/static_shim.h", "model/config.h", "model/peers.h", "model/snapshot.h", "base/json.h" })

--- A configuration from JSON, as the Lua file's table becomes.
local function config(text)
  local json, problem = ffi.new("struct peri_json *[1]"), ffi.new("struct peri_problem")
  assert.equal(0, C.peri_json_parse(cffi.slice(text), json, problem), ffi.string(problem.text))
  local got = ffi.new("struct peri_config *[1]")
  local code = C.peri_config_build("perigee.lua", cffi.slice(text), json[0], got, problem)
  C.peri_json_unref(json[0])
  assert.equal(0, code, ffi.string(problem.text))
  return ffi.gc(got[0], C.peri_config_unref)
end

local function services(text)
  return config(('{"cluster":"c","listen":{"mesh":"127.0.0.1:7402"},"registry":{"kind":"static","services":{%s}}}'):format(text))
end

describe("the static registry", function()
  local probe, registry, kept

  before_each(function()
    probe = ffi.new("struct peri_static_probe")
  end)

  after_each(function()
    C.peri_static_free(registry)
    C.peri_static_probe_done(probe)
    registry = nil
  end)

  local function start(text, own)
    local got, problem = ffi.new("struct peri_static *[1]"), ffi.new("struct peri_problem")
    local code = C.peri_static_probe_new(probe, services(text), cffi.slice(own or ""), got, problem)
    registry = code == 0 and got[0] or nil
    return code, ffi.string(problem.text)
  end

  local function update(text)
    kept = services(text)
    return C.peri_static_update(registry, kept, nil)
  end

  local function find(name)
    return C.peri_snapshot_find(probe.last, cffi.slice(name))
  end

  local peers = '"c":[{"address":"127.0.0.1:1","zone":"a","weight":3},{"address":"127.0.0.1:2"}]'

  it("publishes what the configuration lists", function()
    assert.equal(0, start(peers .. ',"other":[{"address":"127.0.0.1:2"}]', "127.0.0.1:2"))
    assert.equal(1, probe.count)
    assert.equal(1, tonumber(C.peri_snapshot_version(probe.last)))
    assert.is_true(probe.last == C.peri_static_snapshot(registry))
    local cluster = find("c")
    assert.equal(2, tonumber(C.peri_peers_count(cluster)))
    local first = C.peri_peers_at(cluster, 0)
    assert.equal("127.0.0.1:1", ffi.string(first.address))
    assert.equal("a", ffi.string(first.zone))
    assert.equal(3, first.weight)
    assert.equal(1, C.peri_peers_self(cluster))
    -- Only in the cluster is an endpoint a sidecar.
    assert.equal(-1, C.peri_peers_self(find("other")))
  end)

  it("publishes an empty snapshot when there are no services", function()
    assert.equal(0, start(""))
    assert.equal(1, probe.count)
    assert.equal(0, tonumber(C.peri_snapshot_count(probe.last)))
  end)

  it("publishes again only what has changed", function()
    start(peers, "127.0.0.1:2")
    assert.equal(0, update(peers))
    assert.equal(1, probe.count)
    assert.equal(0, update('"c":[{"address":"127.0.0.1:2"}]'))
    assert.equal(2, probe.count)
    assert.equal(2, tonumber(C.peri_snapshot_version(probe.last)))
    assert.equal(0, C.peri_peers_self(find("c")))
    assert.equal(0, update('"c":[{"address":"127.0.0.1:2","weight":7}]'))
    assert.equal(3, probe.count)
    assert.equal(0, update('"d":[{"address":"127.0.0.1:2","weight":7}]'))
    assert.equal(4, probe.count)
    assert.is_true(find("c") == nil)
    assert.equal(0, update(""))
    assert.equal(5, probe.count)
    assert.equal(5, tonumber(C.peri_snapshot_version(C.peri_static_snapshot(registry))))
  end)

  it("frees nothing twice", function()
    C.peri_static_free(nil)
  end)
end)
