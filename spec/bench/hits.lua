--- Local hits over the wire: the sidecar beside a bare nghttp2+libuv echo of the same
--- bytes and Go's groupcache, interleaved in one run. Run through spec/bench/run.
local proc = require("spec.support.proc")
local frames = require("spec.support.frames")
local measure = require("spec.bench.measure")
local start_pinned, cpu, memory, median = measure.start_pinned, measure.cpu, measure.memory, measure.median

local size = tonumber(os.getenv("PERI_BENCH_BYTES") or "1024")
local rounds = tonumber(os.getenv("PERI_BENCH_ROUNDS") or "5")
local shapes = { { 1, 1, 20000 }, { 4, 4, 200000 }, { 8, 16, 400000 } }

local folder = proc.folder()

local function start_perigee(workers)
  local file = folder .. "/perigee.lua"
  proc.write(
    file,
    ([[return { workers = %d, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      groups = { bench = { bytes = "64MiB", fallback = { "static_reply", value = ("v"):rep(%d) } } } }]]):format(workers, size)
  )
  local process = start_pinned(proc.build .. "/perigee", { "serve", "--config", file, "--log-level", "warn" })
  return process, process:await_out("perigee ready app=(%S+)")
end

local function start_echo()
  -- 5 bytes of gRPC frame and the protobuf tag and length in front of the value.
  local process = start_pinned(proc.build .. "/spec/bench/bench_echo", { tostring(size + 8) })
  return process, process:await_out("ready (%S+)")
end

local function start_groupcache()
  local process = start_pinned(proc.build .. "/bench-groupcache", { "-size", tostring(size) })
  return process, process:await_out("groupcache ready (%S+)")
end

local body = folder .. "/get"
proc.write(body, frames.message("\10\5bench\18\3key"))

--- One h2load run; returns requests a second and server CPU in µs a request.
local function load(server, conns, streams, requests)
  local args = { "-n", tostring(requests) }
  local more = server.http1 and { "--h1", "-c", conns * streams, "-m", 1 }
    or { "-c", conns, "-m", streams, "-d", body, "-H", "content-type: application/grpc", "-H", "te: trailers" }
  for _, arg in ipairs(more) do
    args[#args + 1] = tostring(arg)
  end
  args[#args + 1] = server.url
  local before = cpu(server.process.pid)
  local run = start_pinned("/usr/bin/h2load", args)
  run:wait(300000)
  local used = cpu(server.process.pid) - before
  local done, succeeded = run.out:match("(%d+) done, (%d+) succeeded")
  assert(done and tonumber(succeeded) == requests, run.out .. run.err)
  return tonumber(run.out:match("([%d.]+) req/s")), used * 1e6 / requests
end

local servers = {}
for _, server in ipairs({
  { name = "perigee", start = start_perigee, arg = 1, path = "/groupcachepb.GroupCache/Get" },
  { name = "bare echo", start = start_echo, path = "/groupcachepb.GroupCache/Get" },
  { name = "groupcache (Go)", start = start_groupcache, path = "/_groupcache/bench/key", http1 = true },
}) do
  local address
  server.process, address = server.start(server.arg)
  server.url = "http://" .. address .. server.path
  servers[#servers + 1] = server
end

local idle, idle_anonymous = memory(servers[1].process.pid)
for _, server in ipairs(servers) do
  load(server, 4, 4, 20000)
end

print(("local hits of %d bytes, one worker, server and load on one processor, median of %d interleaved rounds"):format(size, rounds))
print(("%-8s %-18s %12s %14s %16s"):format("c x m", "server", "requests/s", "CPU us/req", "perigee / it"))
for _, shape in ipairs(shapes) do
  local rates, costs, ratios = {}, {}, {}
  for _ = 1, rounds do
    local first
    for _, server in ipairs(servers) do
      local rate, cost = load(server, shape[1], shape[2], shape[3])
      first = first or cost
      for list, value in pairs({ [rates] = rate, [costs] = cost, [ratios] = first / cost }) do
        list[server.name] = list[server.name] or {}
        table.insert(list[server.name], value)
      end
    end
  end
  for _, server in ipairs(servers) do
    print(("%-8s %-18s %12.0f %14.2f %16.2f"):format(
      shape[1] .. "x" .. shape[2], server.name,
      median(rates[server.name]), median(costs[server.name]), median(ratios[server.name])
    ))
  end
end

print(("\nresident memory, idle with the static registry: %.1f MB, of which %.1f MB anonymous"):format(idle, idle_anonymous))
--- Fills a cache of 256 MiB with values of 1 KiB and shows what it costs.
local function full()
  local budget = 256
  local file = folder .. "/full.lua"
  proc.write(
    file,
    ([[return { workers = 2, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      groups = { bench = { bytes = "%dMiB", fallback = { "static_reply", value = ("v"):rep(1000) } } } }]]):format(budget)
  )
  local process = proc.start(proc.build .. "/perigee", { "serve", "--config", file })
  local address = process:await_out("perigee ready app=(%S+)")
  proc.run(proc.build .. "/flow-client", {
    "storm", "-target", address, "-conns", "4", "-workers", "64", "-for", "30s", "-group", "bench", "-key", "k", "-keys", "1000000000",
  }, { limit_ms = 60000 })
  print(("resident memory, a full cache of %d MiB: %.1f MB"):format(budget, (memory(process.pid))))
end
full()
proc.destroy_all()
require("spec.support.handles")()
proc.remove(folder)
