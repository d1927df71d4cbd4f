--- Discovery on real etcd processes: how soon a sidecar sees changes, registers again and
--- notices silence, and what ten thousand endpoints cost. Run through spec/bench/run.
local uv = require("luv")
local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local tools = require("spec.support.etcdtools")

local runs = tonumber(os.getenv("PERI_BENCH_RUNS") or "20")
local many = tonumber(os.getenv("PERI_BENCH_ENDPOINTS") or "10000")

discovery.setup()

local function row(what, figure, goal)
  print(("%-58s %22s   %s"):format(what, figure, goal))
end

local function real_us()
  local seconds, micros = uv.gettimeofday()
  return seconds * 1e6 + micros
end

--- Of a list that is sorted by this.
local function of(list, part)
  table.sort(list)
  return list[math.max(1, math.ceil(part * #list))]
end

local function told(list, unit)
  return ("%.0f / %.0f %s"):format(of(list, 0.5), of(list, 0.99), unit)
end

local function address_of(endpoint)
  return endpoint:match("//(.*)$") or endpoint
end

local function tool(verb, ...)
  local started = tools.start(verb, ...)
  started:await(verb .. " to be ready", function(line)
    return line.ready
  end)
  return started
end

--- Tells a tool something; the answer is taken later by the function that this returns.
local function begin(started, order)
  local json = require("spec.support.json")
  started:collect()
  local want = #started.acks + 1
  started.process:say(json.encode(order) .. "\n")
  return function()
    return proc.await("an answer of " .. started.process.name, 90000, function()
      started:collect()
      return started.acks[want]
    end)
  end
end

local function change_visible()
  local cluster = etcd.start({})
  discovery.put(cluster, "orders", "127.0.0.1:1")
  local car = discovery.start({ endpoints = cluster.endpoints })
  car:await_peers("orders", { "127.0.0.1:1" })
  local measure = tools.start("visible", "-endpoints", cluster.endpoints[1], "-service", "orders", "-target", car.app, "-n", "1000")
  local found = measure:await("the measure", function(line)
    return line.from_request and line
  end, 120000)
  local request, answer = found.from_request, found.from_answer
  row("a change in etcd visible to a worker, p50 / p99 / max", ("%.1f / %.1f / %.1f ms"):format(request.p50_us / 1e3, request.p99_us / 1e3, request.max_us / 1e3), "<= 20 ms p99")
  row("  after etcd confirmed it to the writer", ("%.1f / %.1f / %.1f ms"):format(answer.p50_us / 1e3, answer.p99_us / 1e3, answer.max_us / 1e3), "")
  car.process:destroy()
  cluster:stop()
end

--- Milliseconds from when etcd answers again until the record is there under a lease that lives.
local function back_after(cluster, car, break_it)
  local key = "GroupCache/" .. car.address
  local before = discovery.await_key(cluster, key, 10000)
  local lost = break_it(cluster, key)
  local began = discovery.now()
  discovery.until_true("registration", 20000, function()
    local found = cluster:read(key)[key]
    return found and (not lost or found.lease ~= before.lease)
  end)
  local took = discovery.now() - began
  car:await_state("live", 5000)
  return took
end

local function registered_again()
  local cluster = etcd.start({ fast = true })
  -- A fleet of a thousand was seen before.
  proc.run(tools.binary, { "fill", "-endpoints", cluster.endpoints[1], "-service", "fleet", "-count", "1000" })
  local car = discovery.start({
    endpoints = cluster.endpoints,
    provides = '{ service = "fleet", address = "127.0.0.1:1", health = "none" }',
  })
  local wiped, away = {}, {}
  for i = 1, runs do
    wiped[i] = back_after(cluster, car, function()
      cluster:wipe()
      return true
    end)
  end
  for i = 1, math.max(2, math.floor(runs / 4)) do
    away[i] = back_after(cluster, car, function()
      cluster:kill()
      proc.watch(8000)
      -- The key goes only with the next lease check, so it is taken away here.
      cluster:restart()
      for _, lease in ipairs(cluster:leases()) do
        cluster:ctl("lease", "revoke", lease)
      end
      return true
    end)
  end
  row(("registered again after a wipe, fleet of 1,000, p50 / p99 of %d"):format(#wiped), told(wiped, "ms"), "<= 2000 ms p99")
  row(("registered again after 8 s away, lease lost, p50 / p99 of %d"):format(#away), told(away, "ms"), "<= 2000 ms p99")
  car.process:destroy()
  cluster:stop()
end

local function silent_member()
  local cluster = etcd.start({ members = 3, fast = true })
  discovery.put(cluster, "orders", "127.0.0.1:1")
  local car = discovery.start({ endpoints = cluster.endpoints })
  car:await_peers("orders", { "127.0.0.1:1" })
  local seer = tool("see", "-target", car.app)
  local times = {}
  for i = 1, runs do
    local endpoint = car:await_state("live", 10000).endpoint
    local index
    for at, each in ipairs(cluster.endpoints) do
      index = address_of(each) == address_of(endpoint) and at or index
    end
    assert(index, "an endpoint that is none: " .. endpoint)
    local address = "10.0.1." .. i .. ":1"
    -- Not the leader, whose absence the writer would have to wait out.
    cluster:lead(index % 3 + 1)
    local answer = begin(seer, { service = "orders", address = address })
    cluster:freeze(index)
    local frozen = real_us()
    discovery.put(cluster, "orders", address)
    times[i] = (answer().seen_us - frozen) / 1000
    cluster:thaw(index)
    cluster:await_healthy()
  end
  row(("silent member: moved on and current, p50 / p99 of %d"):format(runs), told(times, "ms"), "<= 1500 ms p99")
  car.process:destroy()
  cluster:stop()
end

local function stopped_with(how, flags)
  local cluster = etcd.start({ members = 3, flags = flags })
  local car = discovery.start({ endpoints = cluster.endpoints, ttl = "5s" })
  local survived, gaps, clean, own = 0, {}, {}, {}
  for i = 1, runs do
    local run = discovery.stop_leader(cluster, car, 7000)
    survived = survived + (run.survived and 1 or 0)
    gaps[i] = run.gap_ms
    clean[#clean + 1] = run.elections == 1 and run.gap_ms or nil
    own[i] = run.gap_ms - (run.leaderless_ms or 0)
  end
  row(("leader stopped, TTL 5 s%s: registrations that survived"):format(how), ("%d of %d"):format(survived, runs), "all")
  row("  longest time between two renewals, p50 / max", ("%.0f / %.0f ms"):format(of(gaps, 0.5), of(gaps, 1)), "<= 2500 ms")
  row(("  in the %d runs whose first election held, max"):format(#clean), ("%.0f ms"):format(of(clean, 1) or 0), "<= 2500 ms")
  row("  of it while etcd had a leader, p50 / max", ("%.0f / %.0f ms"):format(of(own, 0.5), of(own, 1)), "")
  car.process:destroy()
  cluster:stop()
end

local function leader_stopped()
  stopped_with("", {})
  stopped_with(", --pre-vote", { "--pre-vote" })
end

--- A registration that an application asks for just after the leader died: how long it takes to
--- be told, and how it ends.
local function leader_killed()
  local cluster = etcd.start({ members = 3 })
  local car = discovery.start({ endpoints = cluster.endpoints, ttl = "5s" })
  discovery.await_key(cluster, "GroupCache/" .. car.address)
  local times, there, failed, wrong = {}, 0, 0, 0
  for i = 1, runs do
    local leader, service = cluster:leader(), "orders" .. i
    local key = service .. "/" .. car.address
    cluster:kill(leader)
    local answer = car:register(service, "127.0.0.1:1", "none")
    local stored = answer.code ~= "OK" or cluster:read(key)[key] ~= nil
    times[i] = answer.millis
    there = there + (answer.code == "OK" and 1 or 0)
    failed = failed + (answer.code ~= "OK" and 1 or 0)
    wrong = wrong + (stored and 0 or 1)
    discovery.await_key(cluster, key, 10000)
    cluster:restart(leader)
  end
  row("leader killed, a registration in flight: told after, p50 / max", ("%.0f / %.0f ms"):format(of(times, 0.5), of(times, 1)), "<= 2000 ms")
  row("  registered, not yet, wrongly told", ("%d, %d, %d"):format(there, failed, wrong), "none wrongly")
  car.process:destroy()
  cluster:stop()
end

--- `make soak` has the same for ten minutes.
local function outage()
  local cluster = etcd.start({ fast = true })
  local idle = discovery.start({ endpoints = cluster.endpoints, extra = 'cluster = "idle",' })
  local cars = { discovery.start({ endpoints = cluster.endpoints }), discovery.start({ endpoints = cluster.endpoints }) }
  for _, car in ipairs(cars) do
    car:await_peers("GroupCache", { cars[1].address, cars[2].address })
  end
  cluster:kill()
  idle:await_state("stale", 5000)
  local before, began = idle:cpu(), discovery.now()
  local storm = discovery.storm(cars[1].app, 30)
  proc.watch(30000)
  local share = (idle:cpu() - before) / (discovery.now() - began) * 1e5
  local result = storm.done()
  row("etcd away for 30 s: calls between sidecars that failed", ("%d of %d"):format(result.calls - (result.codes.OK or 0), result.calls), "none")
  row("  processor used by a sidecar that idles", ("%.2f %%"):format(share), "< 1 %")
  for _, car in ipairs({ idle, cars[1], cars[2] }) do
    car.process:destroy()
  end
  cluster:stop()
end

local function ten_thousand()
  local cluster = etcd.start({})
  local filled = proc.run(tools.binary, { "fill", "-endpoints", cluster.endpoints[1], "-service", "many", "-count", tostring(many) })
  assert(filled.code == 0, filled.err)
  local car = discovery.start({ endpoints = cluster.endpoints })
  local seer = tool("see", "-target", car.app)
  local answer = seer:tell({ service = "many", endpoints = many }, 90000)
  local last = ("10.%d.%d.%d:50051"):format((many - 1) / 62500, (many - 1) / 250 % 250, (many - 1) % 250 + 1)
  local adopted = seer:tell({ service = "many", address = last })
  row(("%d endpoints: initial sync"):format(many), ("%.0f ms"):format((adopted.seen_us - answer.began_us) / 1e3), "<= 500 ms")
  car.process:destroy()
  -- Another one, whose workers are not asked to list them all.
  car = discovery.start({ endpoints = cluster.endpoints })
  seer = tool("see", "-target", car.app)
  local pulse = tool("pulse", "-target", car.app)
  pulse:tell({})
  proc.watch(2000)
  local idle = pulse:tell({})
  local before = car:resident_kib()
  seer:tell({ service = "many", endpoints = many }, 90000)
  proc.watch(500)
  local syncing = pulse:tell({})
  local after = car:resident_kib()
  row("  resident memory an endpoint", ("%.2f KB"):format((after - before) / many * 1.024), "<= 2 KB")
  local flood = tool("flood", "-endpoints", cluster.endpoints[1], "-service", "many", "-rate", "100")
  pulse:tell({})
  proc.watch(5000)
  local changing = pulse:tell({})
  for _, each in ipairs({ { "idle", idle }, { "while they come", syncing }, { "at 100 changes a second", changing } }) do
    row("  slowest answer of a worker, p99 / max, " .. each[1], ("%.1f / %.1f ms"):format(each[2].p99_us / 1e3, each[2].max_us / 1e3), each[1] == "idle" and "" or "<= 5 ms beyond idle")
  end
  flood:stop()
  car.process:destroy()
  cluster:stop()
end

local sections = {
  visible = change_visible,
  again = registered_again,
  silent = silent_member,
  stopped = leader_stopped,
  killed = leader_killed,
  outage = outage,
  many = ten_thousand,
}
local order = { "visible", "again", "silent", "stopped", "killed", "outage", "many" }
row("what", "measured", "goal")
for _, name in ipairs(#arg > 0 and arg or order) do
  local done, why = pcall(sections[name])
  if not done then
    row(name, "failed", "")
    io.stderr:write(tostring(why), "\n")
  end
end
discovery.teardown()
os.exit(0)
