local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "etcd/error.h", "etcd/error_shim.h" })

describe("etcd/error", function()
  local function judge(status, text)
    local error = ffi.new("struct peri_etcd_error")
    C.peri_etcd_error_of(status, text, error)
    return ffi.string(C.peri_etcd_kind_name(error.kind)), error
  end

  it("knows what etcd and C core say", function()
    local cases = {
      { 0, "", "ok" },
      { 14, "etcdserver: no leader", "no_leader" },
      { 14, "etcdserver: request timed out", "no_leader" },
      { 14, "etcdserver: request timed out, possibly due to previous leader failure", "no_leader" },
      { 2, "context deadline exceeded", "no_leader" },
      { 14, "etcdserver: unhealthy cluster", "no_leader" },
      { 2, "raft proposal dropped", "no_leader" },
      { 14, "etcdserver: leader changed", "busy" },
      { 14, "etcdserver: server stopped", "busy" },
      { 14, "etcdserver: not capable", "busy" },
      { 14, "etcdserver: rpc not supported for learner", "busy" },
      { 9, "etcdserver: is not leader", "busy" },
      { 2, "raft: stopped", "busy" },
      { 14, "Socket closed", "busy" },
      { 14, "keepalive watchdog timeout", "busy" },
      { 1, "CANCELLED", "busy" },
      { 8, "etcdserver: mvcc: database space exceeded", "nospace" },
      { 8, "etcdserver: too many requests", "busy" },
      { 8, "grpc: received message larger than max (3000011 vs. 2097152)", "too_large" },
      { 8, "Received message larger than max (70000000 vs. 67108864)", "too_large" },
      { 3, "etcdserver: request is too large", "too_large" },
      { 3, "etcdserver: too many operations in txn request", "too_large" },
      { 3, "etcdserver: user name is empty", "token" },
      { 3, "etcdserver: revision of auth store is old", "token" },
      { 16, "etcdserver: invalid auth token", "token" },
      { 3, "etcdserver: authentication failed, invalid user ID or password", "login" },
      { 9, "etcdserver: user name not found", "login" },
      { 7, "etcdserver: permission denied", "denied" },
      { 7, "", "denied" },
      { 5, "etcdserver: requested lease not found", "no_lease" },
      { 9, "etcdserver: lease already exists", "lease_exists" },
      { 11, "etcdserver: mvcc: required revision has been compacted", "compacted" },
      { 11, "etcdserver: mvcc: required revision is a future revision", "invalid" },
      { 11, "etcdserver: too large lease TTL", "invalid" },
      { 3, "etcdserver: key is not provided", "invalid" },
      { 9, "etcdserver: authentication is not enabled", "invalid" },
      { 15, "etcdserver: corrupt cluster", "invalid" },
      { 4, "Deadline Exceeded", "timeout" },
      { 14, "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Connection refused", "unreachable" },
      { 14, "DNS resolution failed for nowhere:1", "unreachable" },
      {
        14,
        "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Ssl handshake failed: "
          .. "SSL_ERROR_SSL: error:0A000086:SSL routines::certificate verify failed",
        "tls",
      },
      { 14, "Peer name a is not in peer certificate", "tls" },
      { 14, "failed to connect to all addresses; last error: UNAVAILABLE: Trying to connect an http1.x server", "garbage" },
      { 14, "Received http2 header with status: 502", "garbage" },
      { 12, "unknown service etcdserverpb.KV", "garbage" },
      { 13, "whatever", "garbage" },
      { 99, "whatever", "invalid" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[3], (judge(case[1], case[2])), case[2])
    end
  end)

  it("keeps words on one line, and finds some", function()
    local _, error = judge(14, "a\nb\27[31m" .. ("x"):rep(1000))
    local text = ffi.string(error.text)
    assert.truthy(text:match("^a%?b%?%[31mx+$"), text)
    assert.equal(255, #text)
    assert.equal("UNAVAILABLE", ffi.string(select(2, judge(14, "")).text))
    assert.equal("UNAVAILABLE", ffi.string(select(2, judge(14, nil)).text))
    assert.equal(14, select(2, judge(14, "")).status)
  end)

  it("says what to do about each kind", function()
    local classes = {
      ok = 0, unreachable = 0, timeout = 0, no_leader = 0, busy = 0, garbage = 0, token = 1,
      login = 2, denied = 2, tls = 2, nospace = 2, too_large = 2, no_lease = 2, lease_exists = 2,
      compacted = 2, invalid = 2, closed = 2,
    }
    for kind = 0, tonumber(C.PERI_ETCD_KINDS) - 1 do
      local name = ffi.string(C.peri_etcd_kind_name(kind))
      assert.equal(classes[name], tonumber(C.peri_etcd_kind_class(kind)), name)
      classes[name] = nil
    end
    assert.same({}, classes)
    assert.equal("unknown", ffi.string(C.peri_etcd_kind_name(-1)))
    assert.equal("unknown", ffi.string(C.peri_etcd_kind_name(99)))
  end)

  it("knows what surely never happened", function()
    for _, case in ipairs({
      { 14, "failed to connect to all addresses", true },
      { 14, "Ssl handshake failed: certificate verify failed", true },
      { 14, "etcdserver: no leader", true },
      { 16, "etcdserver: invalid auth token", true },
      { 8, "etcdserver: too many requests", true },
      { 14, "etcdserver: request timed out", false },
      { 14, "etcdserver: leader changed", false },
      { 14, "Socket closed", false },
      { 4, "Deadline Exceeded", false },
      { 13, "", false },
    }) do
      assert.equal(case[3], C.shim_etcd_undone(case[1], case[2]), case[2])
    end
  end)
end)
