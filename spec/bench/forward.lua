--- Forwarding: a unary call through the sidecar beside HAProxy, nginx and nghttpx, in front
--- of the same bare echo, interleaved in one run. Run through spec/bench/run.
local uv = require("luv")
local proc = require("spec.support.proc")
local frames = require("spec.support.frames")
local measure = require("spec.bench.measure")
local median = measure.median

io.stdout:setvbuf("line")

local rounds = tonumber(os.getenv("PERI_BENCH_ROUNDS") or "3")
local bytes = 1024
local path = "/bench.v1.Echo/Call"
local shapes = { { 1, 1, 10000 }, { 4, 4, 60000 }, { 1, 50, 60000 }, { 4, 50, 100000 } }
local folder = proc.folder()

local function start_echo()
  local process = measure.start_pinned(proc.build .. "/spec/bench/bench_echo", { tostring(bytes) })
  return process, process:await_out("ready (%S+)")
end

local _, backend = start_echo()

--- A port that nothing listens on, for programs that do not say which one they got.
local function free()
  return tostring(proc.free_port())
end

local function await_port(process, port)
  local answer
  proc.await("a listener on " .. port, 10000, function()
    assert(process.code == nil, process.out .. process.err)
    if answer == nil or answer == "closed" then
      local socket = uv.new_tcp()
      answer = "asking"
      socket:connect("127.0.0.1", tonumber(port), function(failed)
        answer = failed and "closed" or "open"
        socket:close()
      end)
    end
    return answer == "open"
  end)
  return process, "127.0.0.1:" .. port
end

local function start_perigee(name, text, listener)
  local file = folder .. "/" .. name .. ".lua"
  proc.write(file, "return { workers = 1, " .. text .. " }")
  local process = measure.start_pinned(proc.build .. "/perigee", { "serve", "--config", file, "--log-level", "warn" })
  return process, process:await_out("perigee ready.*" .. (listener or "app") .. "=(%S+)")
end

--- The outbound half: a route to fixed addresses, and a balancer in Lua.
local function start_routed(name, balancer)
  return start_perigee(
    name,
    ([[listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, balancer = { %q },
      routes = { { match = { service = "bench.v1.*" }, to = { address = "%s" } } },
      limits = { conns_per_listener = 20000, idle = "1h" }]]):format(balancer, backend)
  )
end

--- The inbound half, which never asks a balancer.
local function start_inbound()
  return start_perigee(
    "inbound",
    ([[listen = { mesh = "127.0.0.1:0", app = "127.0.0.1:0", admin = "127.0.0.1:0" },
      node = { address = "127.0.0.1:%s" },
      provides = { { service = "bench", address = "%s", health = "none" } }]]):format(free(), backend),
    "mesh"
  )
end

local function start_haproxy()
  local port, file = free(), folder .. "/haproxy.cfg"
  proc.write(
    file,
    ([[
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
frontend app
  bind 127.0.0.1:%s proto h2
  default_backend echo
backend echo
  server echo %s proto h2
]]):format(port, backend)
  )
  return await_port(measure.start_pinned("/usr/sbin/haproxy", { "-db", "-q", "-f", file }), port)
end

local function start_nginx()
  local port, file = free(), folder .. "/nginx.conf"
  local temporary = ""
  for _, kind in ipairs({ "client_body", "proxy", "fastcgi", "uwsgi", "scgi" }) do
    temporary = temporary .. ("%s_temp_path %s/nginx-%s;\n"):format(kind, folder, kind)
  end
  proc.write(
    file,
    ([[
daemon off; master_process off; worker_processes 1; error_log stderr crit; pid %s/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  %s
  upstream echo { server %s; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h; }
  server {
    listen 127.0.0.1:%s http2;
    http2_max_concurrent_streams 1000; keepalive_requests 1000000000; keepalive_timeout 1h;
    location / { grpc_pass grpc://echo; }
  }
}
]]):format(folder, temporary, backend, port)
  )
  local args = { "-e", "stderr", "-p", folder .. "/", "-c", file }
  return await_port(measure.start_pinned("/usr/sbin/nginx", args), port)
end

local function start_nghttpx()
  local port = free()
  local host, to = backend:match("^(.*):(%d+)$")
  return await_port(
    measure.start_pinned("/usr/sbin/nghttpx", {
      "--conf=/dev/null",
      "--single-process",
      "--single-thread",
      "--workers=1",
      ("--frontend=127.0.0.1,%s;no-tls"):format(port),
      ("--backend=%s,%s;;proto=h2"):format(host, to),
      "--accesslog-file=/dev/null",
      "--errorlog-file=/dev/null",
      "--no-via",
      "--no-add-x-forwarded-proto",
      "--no-location-rewrite",
      "--frontend-http2-read-timeout=1h",
      "--backend-keep-alive-timeout=1h",
    }),
    port
  )
end

local body = folder .. "/call"
proc.write(body, frames.message(("q"):rep(15)))

local function h2load(server, conns, streams, requests, more)
  local args = { "-n", requests, "-c", conns, "-m", streams, "-d", body, unpack(more or {}) }
  for _, arg in ipairs({ "-H", "content-type: application/grpc", "-H", "te: trailers", "http://" .. server.address .. path }) do
    args[#args + 1] = arg
  end
  for i, arg in ipairs(args) do
    args[i] = tostring(arg)
  end
  local run = measure.start_pinned("/usr/bin/h2load", args)
  run:wait(300000)
  local succeeded = run.out:match("(%d+) succeeded")
  assert(tonumber(succeeded) == requests, server.name .. "\n" .. run.out .. run.err)
end

--- CPU in µs a call.
local function cost(server, conns, streams, requests)
  local before = measure.cpu(server.process.pid)
  h2load(server, conns, streams, requests)
  return (measure.cpu(server.process.pid) - before) * 1e6 / requests
end

--- The median time of a call in µs.
local function latency(server, conns, streams, requests)
  local log = folder .. "/latencies"
  os.remove(log)
  h2load(server, conns, streams, requests, { "--log-file=" .. log })
  local list = {}
  for elapsed in measure.read(log):gmatch("%d+\t%d+\t(%d+)") do
    list[#list + 1] = tonumber(elapsed)
  end
  return median(list)
end

local direct = { name = "direct", address = backend }
local servers = {
  { name = "perigee p2c_ewma", start = start_routed, args = { "p2c", "p2c_ewma" } },
  { name = "perigee round_robin", start = start_routed, args = { "turns", "round_robin" } },
  { name = "perigee, no balancer", start = start_inbound },
  { name = "haproxy", start = start_haproxy },
  { name = "nginx", start = start_nginx },
  { name = "nghttpx", start = start_nghttpx },
}
for _, server in ipairs(servers) do
  server.process, server.address = server.start(unpack(server.args or {}))
  h2load(server, 4, 4, 4000)
end

--- What `take` measured of each server, by name, one number a round.
local function samples(list, shape, take)
  local got = {}
  for round = 1, rounds do
    for _, server in ipairs(list) do
      got[server.name] = got[server.name] or {}
      got[server.name][round] = take(server, unpack(shape))
    end
  end
  return got
end

--- The median of a list, and of its quotients with another one, round by round: what else
--- the machine does changes slowly beside that.
local function middle(list, others)
  local copy, quotients = {}, {}
  for round, value in ipairs(list) do
    copy[round], quotients[round] = value, value / others[round]
  end
  return median(copy), median(quotients)
end

local with_direct = { direct, unpack(servers) }

print(
  ("a unary call of 20 bytes answered with %d, one thread each, all on one processor, median of %d interleaved rounds"):format(
    bytes,
    rounds
  )
)
print(("%-6s %-20s %12s %8s %16s %8s"):format("c x m", "proxy", "CPU us/call", "/ haproxy", "added median us", "/ haproxy"))
for _, shape in ipairs(shapes) do
  local costs = samples(servers, shape, cost)
  local times = samples(with_direct, { shape[1], shape[2], math.ceil(shape[3] / 5) }, latency)
  local added = {}
  for _, server in ipairs(servers) do
    added[server.name] = {}
    for round, time in ipairs(times[server.name]) do
      added[server.name][round] = time - times.direct[round]
    end
  end
  local itself = middle(times.direct, times.direct)
  print(("%-6s %-20s %12s %8s %16.0f"):format(shape[1] .. "x" .. shape[2], "(direct: itself)", "", "", itself))
  for _, server in ipairs(servers) do
    local name = server.name
    local cpu, of_haproxy = middle(costs[name], costs.haproxy)
    local wait, of_its = middle(added[name], added.haproxy)
    print(("%-6s %-20s %12.2f %8.2f %16.0f %8.2f"):format("", name, cpu, of_haproxy, wait, of_its))
  end
end

--- Connections that have made one call each and stay.
local function idle()
  local count = 10000
  local process, address = start_routed("idle", "p2c_ewma")
  local host, port = address:match("^(.*):(%d+)$")
  local before = measure.memory(process.pid)
  local hello = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    .. frames.frame(4, 0, 0, "")
    .. frames.frame(1, 4, 1, frames.request(path))
    .. frames.frame(0, 1, 1, frames.message("q"))
  local open, answered = {}, 0
  for i = 1, count do
    local socket = uv.new_tcp()
    local got = ""
    open[i] = socket
    socket:connect(host, tonumber(port), function(failed)
      assert(not failed, failed)
      socket:write(hello)
      socket:read_start(function(_, chunk)
        if chunk and got then
          got = got .. chunk
          if got:find("grpc-status", 1, true) or #got > bytes + 50 then
            got = nil
            answered = answered + 1
          end
        end
      end)
    end)
    if i % 100 == 0 then
      proc.await("answers", 30000, function()
        return answered == i
      end)
    end
  end
  local after = measure.memory(process.pid)
  print(("\n%d idle connections that made a call each: %.1f KB of resident memory each"):format(count, (after - before) * 1024 / count))
  for _, socket in ipairs(open) do
    socket:close()
  end
end
idle()

proc.destroy_all()
require("spec.support.handles")()
proc.remove(folder)
