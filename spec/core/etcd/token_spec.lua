local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C = M.C

describe("etcd/token", function()
  local cluster

  local function protect(options)
    cluster = etcd.start(options)
    cluster:ctl("user", "add", "root:rootpw")
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("user", "add", "alice:s3cret")
    cluster:ctl("role", "add", "orders")
    cluster:ctl("role", "grant-permission", "orders", "--prefix=true", "readwrite", "orders/")
    cluster:ctl("user", "grant-role", "alice", "orders")
    cluster:ctl("auth", "enable")
    cluster.ctl_args = { "--user", "root:rootpw" }
  end

  local function open(user, password, more)
    local options = { endpoints = cluster.endpoints, user = user, password = password }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return assert(M.open(options))
  end

  after_each(function()
    M.close_all()
    etcd.stop_all()
  end)

  local function logins(metrics)
    return tonumber(C.peri_metric_value(C.peri_metrics_counter(metrics, "perigee_etcd_authentications_total", "", nil)))
  end

  it("lets in who knows the password, for what is theirs", function()
    protect()
    local rig = open("alice", "s3cret")
    assert.equal("ok", rig:put("orders/a", "1").kind)
    assert.equal("1", rig:range("orders/a").rows[1].value)
    local denied = rig:put("other", "1")
    assert.equal("denied", denied.kind, denied.text)
    assert.truthy(denied.ms < 1000 * proc.patience)
    assert.equal("denied", rig:range("other").kind)
  end)

  it("says who is not let in, and never with what password", function()
    protect()
    for _, who in ipairs({ { "alice", "wr0ngpw" }, { "nobody", "wr0ngpw" }, { "", "" } }) do
      local rig = open(who[1], who[2])
      local got = rig:put("orders/a", "1")
      assert.equal("login", got.kind, got.text)
      assert.is_nil(got.text:find("wr0ngpw", 1, true))
      rig:close()
    end
  end)

  it("asks once for all who wait, and not oftener than every second", function()
    protect()
    local metrics = C.peri_metrics_new()
    local rig, made = open("alice", "s3cret", { metrics = metrics }), {}
    for i = 1, 50 do
      made[i] = rig:start_put("orders/" .. i, "1")
    end
    for i = 1, 50 do
      assert.equal("ok", rig:finish(made[i]).kind)
    end
    assert.equal(1, logins(metrics))
    rig:close()
    -- A wrong password is not tried in a storm either.
    rig = open("alice", "wrong", { metrics = metrics })
    local started, done = require("luv").hrtime(), 0
    while require("luv").hrtime() - started < 2.5e9 do
      made = { rig:start_put("orders/x", "1"), rig:start_put("orders/y", "1") }
      for _, each in ipairs(made) do
        assert.equal("login", rig:finish(each).kind)
        done = done + 1
      end
    end
    assert.truthy(logins(metrics) - 1 <= 4, logins(metrics))
    assert.truthy(done >= 4)
    rig:close()
    C.peri_metrics_free(metrics)
  end)

  it("gets a new token when the old one has expired", function()
    protect({ flags = { "--auth-token-ttl", "1" } })
    local metrics = C.peri_metrics_new()
    local rig, made = open("alice", "s3cret", { metrics = metrics }), {}
    assert.equal("ok", rig:put("orders/a", "1").kind)
    rig:watch(3000)
    for i = 1, 20 do
      made[i] = i % 2 == 0 and rig:start_put("orders/a", "2")
        or rig:start_txn({ compares = {}, yes = { { "put", "orders/b", "2" } } })
    end
    for i = 1, 20 do
      local got = rig:finish(made[i])
      assert.equal("ok", got.kind, got.text)
    end
    assert.equal(2, logins(metrics))
    rig:close()
    C.peri_metrics_free(metrics)
  end)

  it("gets a new token when the server has forgotten it", function()
    protect()
    local rig = open("alice", "s3cret")
    assert.equal("ok", rig:put("orders/a", "1").kind)
    rig:watch(1100)
    cluster:restart()
    local got = rig:put("orders/a", "2")
    assert.equal("ok", got.kind, got.text)
  end)

  it("is known to every member", function()
    protect({ members = 3, fast = true })
    local rig = open("alice", "s3cret")
    for round = 1, 5 do
      for i = 0, 2 do
        local got = rig:call("/etcdserverpb.KV/Range", "\10\8orders/a", { endpoint = i })
        assert.equal("ok", got.kind, round .. ": " .. got.text)
      end
    end
  end)

  it("is not needed where there is no authentication", function()
    cluster = etcd.start()
    local rig = open("alice", "s3cret")
    assert.equal("ok", rig:put("orders/a", "1").kind)
    -- Until there is.
    cluster:ctl("user", "add", "root:rootpw")
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("user", "add", "alice:s3cret")
    cluster:ctl("user", "grant-role", "alice", "root")
    cluster:ctl("auth", "enable")
    rig:watch(1000)
    local got = rig:put("orders/a", "2")
    assert.equal("ok", got.kind, got.text)
  end)

  it("says why when nobody answers who could give one", function()
    protect()
    cluster:kill()
    local rig = open("alice", "s3cret", { timeout_ms = 600, attempt_ms = 200 })
    local got = rig:put("orders/a", "1")
    assert.equal("unreachable", got.kind, got.text)
    assert.truthy(got.ms < 700 * proc.patience, got.ms)
    cluster:restart()
    rig:await("the login to work again", function()
      return rig:put("orders/a", "1").kind == "ok"
    end)
    cluster:freeze()
    rig:close()
    rig = open("alice", "s3cret", { timeout_ms = 600, attempt_ms = 200 })
    assert.equal("timeout", rig:put("orders/a", "1").kind)
    rig:close()
    cluster:thaw()
  end)

  it("is waited for by calls that may be cancelled, and sessions that may be closed", function()
    protect()
    local rig = open("alice", "s3cret")
    local first, second = rig:start_put("orders/a", "1"), rig:start_put("orders/b", "1")
    C.peri_etcd_call_cancel(first.call)
    assert.equal("ok", rig:finish(second).kind)
    assert.equal(0, first.count)
    rig:close()
    rig = open("alice", "s3cret")
    rig:start_put("orders/a", "1")
    rig:step(1)
    rig:close()
    rig = open("alice", "s3cret")
    rig:start_put("orders/a", "1")
    rig:close()
  end)
end)
