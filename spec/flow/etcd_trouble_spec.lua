local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local etcdfake = require("spec.support.etcdfake")
local json = require("spec.support.json")
local proc = require("spec.support.proc")

local either = discovery.either
local secret = "correct-horse-battery"

-- What is held here is real time, which TSan stretches too far. ASan runs it.
if os.getenv("PERI_KIND") == "tsan" then
  return
end

describe("a sidecar whose etcd", function()
  setup(discovery.setup)

  after_each(discovery.reset)

  teardown(discovery.teardown)

  --- Everything that others may see of a process and of what it tells.
  local function assert_secret_kept(process, told)
    local file = assert(io.open("/proc/" .. process.pid .. "/cmdline"))
    local shown = told .. process.err .. process.out .. file:read("*a")
    file:close()
    assert.is_nil(shown:find(secret, 1, true))
  end

  --- A sidecar that cannot become ready, and runs nevertheless: the cause has a name in its log
  --- (not too often), metrics and readiness. `kinds`: one of these.
  local function launch_in_vain(options, ...)
    local kinds = { ... }
    options.admin = "127.0.0.1:" .. proc.free_port()
    local process = discovery.launch(options)
    local name = proc.await("a cause", 15000, function()
      for _, kind in ipairs(kinds) do
        if process.err:find("etcd: " .. kind .. ": ", 1, true) then
          return kind
        end
      end
    end, function()
      return process.err
    end)
    local said, span = #process.err, either(31000, 1200)
    proc.watch(span)
    assert.is_nil(process.code)
    assert.is_nil(process.out:match("perigee ready"))
    local _, lines = process.err:sub(said + 1):gsub("etcd: " .. name .. ": ", "")
    assert.truthy(lines <= 1 + span / 10000, process.err)
    local _, metrics = proc.http("GET", options.admin, "/metrics")
    local _, ready = proc.http("GET", options.admin, "/ready")
    assert.truthy(metrics:find(('\nperigee_etcd_trouble{kind="%s"} 1\n'):format(name), 1, true), metrics)
    assert.truthy(ready:find("registry etcd: syncing, " .. name .. ",", 1, true), ready)
    assert_secret_kept(process, metrics .. ready)
    process:kill("sigterm")
    assert.equal(0, (process:wait()))
  end

  it("is not where it should be says that it is unreachable", function()
    launch_in_vain({ endpoints = { "http://127.0.0.1:" .. proc.free_port() } }, "unreachable")
  end)

  it("is no etcd says that it answers garbage", function()
    local fake = etcdfake.start()
    fake:tell({ garbage = true })
    -- C core does not always tell a wrong protocol from a lost connection.
    launch_in_vain({ endpoints = fake.endpoints }, "garbage", "unreachable")
    fake:stop()
  end)

  it("never answers says that it is too late", function()
    local fake = etcdfake.start()
    fake:tell({ answers = { Range = { { hang = true, for_ever = true } }, Status = { { hang = true, for_ever = true } } } })
    launch_in_vain({ endpoints = fake.endpoints }, "timeout")
    fake:stop()
  end)

  it("has one wrong endpoint among right ones does without it", function()
    local cluster = etcd.start({ fast = true })
    local car = discovery.start({ endpoints = { "http://127.0.0.1:" .. proc.free_port(), cluster.endpoints[1] } })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    car:await_state("live")
    car:stop()
  end)

  local function with_users(ttl)
    local cluster = etcd.start({ fast = true, flags = { "--auth-token-ttl", tostring(ttl or 300) } })
    cluster:ctl("user", "add", "root:" .. secret)
    cluster:ctl("user", "grant-role", "root", "root")
    cluster:ctl("user", "add", "car:" .. secret)
    cluster:ctl("role", "add", "car")
    cluster:ctl("role", "grant-permission", "car", "readwrite", "--prefix=true", "GroupCache/")
    cluster:ctl("role", "grant-permission", "car", "read", "--prefix=true", "orders/")
    cluster:ctl("user", "grant-role", "car", "car")
    cluster:ctl("auth", "enable")
    cluster.ctl_args = { "--user", "root:" .. secret }
    return cluster
  end

  local function login(user, password)
    return ("user = %q, password = %q"):format(user, password)
  end

  it("wants a password takes the right one, also after its token expired", function()
    local cluster = with_users(2)
    discovery.put(cluster, "orders", "127.0.0.1:1")
    local car = discovery.start({ endpoints = cluster.endpoints, registry = login("car", secret) })
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    car:await_peers("orders", { "127.0.0.1:1" })
    -- Nothing but the watch and the lease moves, and tokens expire.
    proc.watch(5500)
    discovery.put(cluster, "orders", "127.0.0.2:1")
    car:await_peers("orders", { "127.0.0.1:1", "127.0.0.2:1" }, 2000)
    assert.equal(before.lease, discovery.await_key(cluster, key).lease)
    -- Tokens die with the process that gave them.
    cluster:restart()
    discovery.put(cluster, "orders", "127.0.0.3:1")
    car:await_peers("orders", { "127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1" }, 5000)
    assert.equal(before.lease, discovery.await_key(cluster, key).lease)
    local logins = car:metric("perigee_etcd_authentications_total")
    assert.truthy(logins >= 1 and logins <= 15, logins)
    local told = car:cli("services").out .. json.encode(car:services()) .. car:cli("peers").out
    for _, path in ipairs({ "/metrics", "/ready" }) do
      told = told .. select(2, proc.http("GET", car.admin, path))
    end
    assert_secret_kept(car.process, told .. car:cli("explain").out .. car:cli("stats").out)
    car:stop()
  end)

  it("does not know the password says so", function()
    local cluster = with_users()
    launch_in_vain({ endpoints = cluster.endpoints, registry = login("car", "wrong") }, "login")
    launch_in_vain({ endpoints = cluster.endpoints }, "login")
  end)

  it("lets it not read says that it is denied", function()
    local cluster = with_users()
    launch_in_vain({ endpoints = cluster.endpoints, registry = login("car", secret) .. ', prefix = "/forbidden/"' }, "denied")
  end)

  it("lets it not write what its application provides blocks this, and nothing else", function()
    local cluster = with_users()
    local car = discovery.start({
      endpoints = cluster.endpoints,
      registry = login("car", secret),
      provides = '{ service = "orders", address = "127.0.0.1:1", health = "none" }',
    })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    discovery.until_true("blocked", 5000, function()
      return car:own("orders").state == "blocked"
    end)
    assert.truthy(car:own("orders").reason:lower():find("denied"), car:own("orders").reason)
    assert.equal("registered", car:own("GroupCache").state)
    -- Once it may, it does.
    cluster:ctl("role", "grant-permission", "car", "readwrite", "--prefix=true", "orders/")
    discovery.await_key(cluster, "orders/" .. car.address, 8000)
    car:stop()
  end)

  it("lets it not read one service that it provides does without this one", function()
    local cluster = with_users()
    local car = discovery.start({
      endpoints = cluster.endpoints,
      registry = login("car", secret),
      provides = '{ service = "hidden", address = "127.0.0.1:1", health = "none" }',
    })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    discovery.until_true("blocked", 5000, function()
      return car:own("hidden").state == "blocked"
    end)
    assert.equal("syncing", car:service("hidden").state)
    assert.equal("live", car:service("GroupCache").state)
    assert.equal("denied", car:services().trouble)
    cluster:ctl("role", "grant-permission", "car", "readwrite", "--prefix=true", "hidden/")
    car:await_peers("hidden", { car.address }, 12000)
    car:stop()
  end)

  it("takes its permission away while it runs keeps what it knows", function()
    local cluster = with_users()
    discovery.put(cluster, "orders", "127.0.0.1:1")
    local car = discovery.start({ endpoints = cluster.endpoints, registry = login("car", secret) })
    car:await_peers("orders", { "127.0.0.1:1" })
    cluster:ctl("role", "revoke-permission", "car", "orders/", "orders0")
    cluster:restart()
    discovery.until_true("denied", 8000, function()
      return car:service("orders").state == "stale"
    end)
    assert.equal(1, select(2, car:peers("orders")))
    cluster:ctl("role", "grant-permission", "car", "read", "--prefix=true", "orders/")
    discovery.until_true("live", 8000, function()
      return car:service("orders").state == "live"
    end)
    car:stop()
  end)

  it("is full keeps what is registered", function()
    local cluster = etcd.start({ fast = true, flags = { "--quota-backend-bytes", "2000000" } })
    local car = discovery.start({ endpoints = cluster.endpoints })
    local key = "GroupCache/" .. car.address
    local before = discovery.await_key(cluster, key)
    local filled = 0
    while cluster:try("put", "fill/" .. filled, ("x"):rep(100000)).code == 0 do
      filled = filled + 1
    end
    local application = discovery.listener()
    local answer = car:register("asked", application.address, "none")
    assert.not_equal("OK", answer.code)
    assert.truthy(answer.message:lower():find("space"), answer.message)
    assert.equal("blocked", car:own("asked").state)
    proc.watch(5500)
    assert.equal(before.lease, discovery.await_key(cluster, key).lease)
    assert.equal("registered", car:own("GroupCache").state)
    assert.equal(1, #cluster:leases())
    assert.equal("nospace", car:services().trouble)
    assert.equal(1, car:metric("perigee_etcd_trouble", 'kind="nospace"'))
    assert.truthy(car:logged("space") <= 2, car.process.err)
    -- Space again: it goes on by itself.
    cluster:ctl("del", "--prefix", "fill/")
    local revision = cluster:ctl("get", "-w", "json", key):match('"revision":(%d+)')
    cluster:ctl("compact", revision)
    cluster:ctl("defrag")
    cluster:ctl("alarm", "disarm")
    discovery.await_key(cluster, "asked/" .. car.address, 8000)
    discovery.until_true("no trouble", 3000, function()
      return car:services().trouble == ""
    end)
    application.close()
    car:stop()
  end)

  it("finds a record too large blocks this one", function()
    local cluster = etcd.start({ fast = true, flags = { "--max-request-bytes", "2000" } })
    local car = discovery.start({
      endpoints = cluster.endpoints,
      provides = '{ service = "orders", address = "127.0.0.1:1", health = "none", metadata = { big = ("x"):rep(3000) } }',
    })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    discovery.until_true("blocked", 5000, function()
      return car:own("orders").state == "blocked"
    end)
    assert.truthy(car:own("orders").reason:find("large"), car:own("orders").reason)
    car:stop()
  end)

  it("is wrongly configured says where", function()
    for _, wrong in ipairs({ "127.0.0.1", "ftp://127.0.0.1:1", "http://127.0.0.1:99999", "http://", "" }) do
      local process = discovery.launch({ endpoints = { wrong } })
      process:wait()
      assert.equal(2, process.code, process.err)
      assert.truthy(process.err:find("registry.endpoints", 1, true), process.err)
    end
    local short = discovery.launch({ endpoints = { "http://127.0.0.1:2379" }, ttl = "1s" })
    short:wait()
    assert.equal(2, short.code)
    assert.truthy(short.err:find("registry.ttl", 1, true), short.err)
  end)
end)
