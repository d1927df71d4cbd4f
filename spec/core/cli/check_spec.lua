local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local uv = require("luv")

describe("perigee check", function()
  local file

  setup(function()
    sidecar.folder = proc.folder()
    file = sidecar.folder .. "/perigee.lua"
  end)

  teardown(function()
    sidecar.teardown()
  end)

  local function check(text, options)
    proc.write(file, text)
    return proc.run(sidecar.binary, { "check", "--config", file }, options)
  end

  it("says what it found", function()
    local got = check('return { groups = { a = {}, b = { picker = "maglev", fallback = { "static_reply", value = "v" } } } }')
    assert.equal(0, got.code, got.err)
    assert.equal(file .. ": fine, 2 groups and 0 services\n", got.out)
    got = check([[return {
      node = { address = "10.0.0.7:7402" },
      registry = { kind = "etcd", endpoints = "127.0.0.1:9" },
      provides = { { service = "orders", address = "127.0.0.1:9" } },
    }]])
    assert.equal(0, got.code, got.err)
    assert.equal(file .. ": fine, 0 groups and 1 services provided; etcd itself was not asked\n", got.out)
  end)

  it("names what is wrong", function()
    for text, words in pairs({
      ["return {"] = ":1:",
      ['return { registry = { kind = "etcd", endpoints = "https://h:1", ca = "no.pem" } }'] = "no.pem: there is no such file",
      ["return { grops = {} }"] = 'did you mean "groups"',
      ['return { groups = { g = { fallback = "no_such" } } }'] = 'groups.g.fallback: there is no fallback "no_such"',
      ['return { groups = { g = { picker = "ring_crc3" } } }'] = 'groups.g.picker: there is no picker "ring_crc3"',
      ['return { balancer = "no_such" }'] = 'balancer: there is no balancer "no_such"',
      ['return { routes = { { match = {}, to = "a" }, { match = {}, to = "a", balancer = "no_such" } } }'] = 'routes[2].balancer: there is no balancer "no_such"',
      ['return { groups = { g = { fallback = { "static_reply", valeu = "x" } } } }'] = "valeu",
      ['return { routes = { { match = {}, to = "s", balancer = { "p2c_ewma", decay = 1 } } } }'] = 'routes[1].balancer: balancer p2c_ewma: unknown option "decay"',
    }) do
      local got = check(text)
      assert.equal(2, got.code)
      assert.equal("", got.out)
      assert.truthy(got.err:find(words, 1, true), got.err)
      assert.truthy(got.err:find("perigee.lua", 1, true), got.err)
    end
  end)

  it("blames a policy for what it needs too much of", function()
    local folder = sidecar.folder .. "/policies"
    assert(uv.fs_mkdir(folder, 448) and uv.fs_mkdir(folder .. "/balancer", 448))
    proc.write(folder .. "/balancer/greedy.lua", "local all = {} for i = 1, 1e7 do all[i] = ('x'):rep(1000) .. i end")
    local got = check(("return { policies = { path = %q }, balancer = 'greedy' }"):format(folder))
    assert.equal(2, got.code)
    assert.truthy(got.err:find("balancer: balancer greedy: the memory cap of", 1, true), got.err)
  end)

  it("warns of folders that are not there", function()
    local got = check('return { policies = { path = "/none/policies" }, files = "/none/files" }')
    assert.equal(0, got.code)
    assert.truthy(got.err:find("perigee.lua: policies.path: there is no folder /none/policies\n", 1, true), got.err)
    assert.truthy(got.err:find("perigee.lua: files: there is no folder /none/files\n", 1, true), got.err)
  end)

  it("names a file that is not there", function()
    local got = proc.run(sidecar.binary, { "check", "--config", "/no/such.lua" })
    assert.equal(2, got.code)
    assert.truthy(got.err:find("/no/such.lua", 1, true))
    local default = proc.run(sidecar.binary, { "check" }, { cwd = "/" })
    assert.equal(2, default.code)
    assert.truthy(default.err:find("perigee.lua", 1, true))
  end)

  it("ends with 1 when the program's own files are missing", function()
    local got = check("return {}", { env = { PERIGEE_DATA = "/nowhere" } })
    assert.equal(1, got.code)
    assert.truthy(got.err:find("/nowhere", 1, true))
  end)
end)
