local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local support = require("spec.core.etcd.lease_support")
local C, ffi, slice = support.C, support.ffi, support.slice

describe("etcd/client", function()
  local cluster, client
  local problem = ffi.new("struct peri_etcd_error")

  setup(function()
    cluster = etcd.start({ fast = true })
  end)
  teardown(etcd.stop_all)

  local function new(endpoints, fields)
    local options = ffi.new("struct peri_etcd_options", fields or {})
    local names = ffi.new("const char *[?]", #endpoints, endpoints)
    options.endpoints, options.endpoint_count = names, #endpoints
    local out = ffi.new("struct peri_etcd_client *[1]")
    local code = C.peri_etcd_client_new(options, out, problem)
    return code, out[0]
  end

  before_each(function()
    local code
    code, client = new(cluster.endpoints)
    assert.equal(0, code)
  end)
  after_each(function()
    C.peri_etcd_client_free(client)
  end)

  local function grant(ttl_s)
    local lease = ffi.new("int64_t[1]")
    assert.equal(0, C.peri_etcd_client_grant(client, ttl_s, lease, problem), ffi.string(problem.text))
    return lease[0]
  end

  local function put(key, value, lease)
    return C.peri_etcd_client_put(client, slice(key), slice(value), lease or 0, problem)
  end

  local function get(key)
    local kv = ffi.new("const struct peri_etcd_kv *[1]")
    assert.equal(0, C.peri_etcd_client_get(client, slice(key), kv, problem), ffi.string(problem.text))
    return kv[0] ~= nil and cffi.string(kv[0].value) or nil, kv[0]
  end

  it("grants, puts, keeps alive, gets, deletes and revokes", function()
    local lease = grant(1)
    assert.equal(0, put("client/a", "one", lease))
    assert.equal(0, C.peri_etcd_client_keepalive(client, lease, problem))
    assert.equal(0, C.peri_etcd_client_keepalive(client, lease, problem))
    assert.equal(0, C.peri_etcd_client_run(client, 4000, problem))
    local value, kv = get("client/a")
    assert.equal("one", value)
    assert.equal("client/a", cffi.string(kv.key))
    assert.is_true(kv.lease == lease)
    assert.is_true(C.peri_etcd_client_remaining_ms(client, lease) > 0)

    local deleted = ffi.new("int64_t[1]")
    assert.equal(0, C.peri_etcd_client_delete(client, slice("client/a"), deleted, problem))
    assert.equal(1, tonumber(deleted[0]))
    assert.is_nil((get("client/a")))
    assert.equal(0, C.peri_etcd_client_delete(client, slice("client/a"), deleted, problem))
    assert.equal(0, tonumber(deleted[0]))
    assert.equal(0, C.peri_etcd_client_delete(client, slice("client/a"), nil, nil))

    assert.equal(0, put("client/b", "", lease))
    assert.equal("", (get("client/b")))
    assert.equal(0, C.peri_etcd_client_revoke(client, lease, problem))
    assert.is_nil((get("client/b")))
    assert.equal(-1, tonumber(C.peri_etcd_client_remaining_ms(client, lease)))
    assert.equal(0, C.peri_etcd_client_revoke(client, lease, problem))
  end)

  it("keeps nothing alive that it was not asked to", function()
    local lease = grant(1)
    assert.equal(0, put("client/c", "one", lease))
    assert.equal(0, C.peri_etcd_client_run(client, 3000, problem))
    assert.is_nil((get("client/c")))
    assert.equal(C.PERI_ENOTFOUND, put("client/c", "two", lease))
    assert.equal(C.PERI_ETCD_NO_LEASE, problem.kind)
  end)

  it("tells once of each lease that is lost", function()
    local lost, stays = grant(1), grant(1)
    assert.equal(0, C.peri_etcd_client_keepalive(client, lost, problem))
    assert.equal(0, C.peri_etcd_client_keepalive(client, stays, problem))
    cluster:ctl("lease", "revoke", support.hex(lost))
    assert.equal(C.PERI_ENOTFOUND, C.peri_etcd_client_run(client, 5000, problem))
    assert.equal(C.PERI_ETCD_NO_LEASE, problem.kind)
    assert.equal(0, C.peri_etcd_client_run(client, 1500, problem))
    assert.is_true(C.peri_etcd_client_remaining_ms(client, lost) < 0)
    assert.is_true(C.peri_etcd_client_remaining_ms(client, stays) > 0)
  end)

  it("keeps leases that others granted", function()
    local id = cluster:ctl("lease", "grant", "2"):match("lease (%x+)")
    local lease = ffi.cast("int64_t", 0)
    for digit in id:gmatch("%x") do
      lease = lease * 16 + tonumber(digit, 16)
    end
    assert.equal(0, C.peri_etcd_client_keepalive(client, lease, problem))
    assert.equal(0, C.peri_etcd_client_run(client, 4000, problem))
    assert.is_true(C.peri_etcd_client_remaining_ms(client, lease) > 0)
    assert.equal(0, C.peri_etcd_client_revoke(client, lease, problem))
    assert.equal(C.PERI_ENOTFOUND, C.peri_etcd_client_keepalive(client, lease, problem))
  end)

  it("carries every byte", function()
    local key, value = "client/\0\1\255", "\0\255" .. ("x"):rep(100000)
    assert.equal(0, put(key, value))
    assert.equal(value, (get(key)))
  end)

  it("says what goes wrong", function()
    assert.equal(C.PERI_ELIMIT, put("client/big", ("x"):rep(2000000)))
    assert.equal(C.PERI_ETCD_TOO_LARGE, problem.kind)
    assert.equal(C.PERI_EINVAL, put("", "empty key"))

    local code, other = new({ "127.0.0.1:1" }, { timeout_ms = 300 })
    assert.equal(0, code)
    local lease = ffi.new("int64_t[1]")
    assert.equal(C.PERI_ECONNECT, C.peri_etcd_client_grant(other, 5, lease, problem))
    assert.equal(C.PERI_ETCD_UNREACHABLE, problem.kind)
    assert.equal(C.PERI_ECONNECT, C.peri_etcd_client_grant(other, 5, lease, nil))
    C.peri_etcd_client_free(other)

    assert.equal(C.PERI_EINVAL, (new({ "ftp://nowhere" })))
    assert.truthy(ffi.string(problem.text):find("ftp://nowhere", 1, true))
    C.peri_etcd_client_free(nil)
  end)
end)
