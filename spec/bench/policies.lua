--- Reloads 50 policies on a sidecar of two workers while a call a millisecond goes to each, and
--- prints how long that takes and how long a worker did not answer. Run through spec/bench/run.
local f = require("spec.support.frames")
local h2raw = require("spec.support.h2raw")
local measure = require("spec.bench.measure")
local proc = require("spec.support.proc")
local uv = require("luv")

local COUNT, ROUNDS, ENDPOINTS = 50, 10, 16
local folder = proc.folder()

local source = assert(io.open(proc.root .. "/plugins/balancer/p2c_ewma.lua")):read("*a")

--- An edition of all policies, in a folder of its own.
local function write_edition(edition)
  local path = ("%s/edition-%d"):format(folder, edition)
  assert(os.execute("mkdir -p " .. path .. "/balancer") == 0)
  for i = 1, COUNT do
    local text = source:gsub('"p2c_ewma"', ('"b%d"'):format(i))
    proc.write(("%s/balancer/b%d.lua"):format(path, i), ("-- Edition %d.\n%s"):format(edition, text))
  end
end

--- Puts it in the place of the one before, at once.
local function exchange(edition)
  assert(uv.fs_symlink(("edition-%d"):format(edition), folder .. "/next"))
  assert(uv.fs_rename(folder .. "/next", folder .. "/policies"))
end

local function start()
  local endpoints, routes = {}, {}
  for i = 1, ENDPOINTS do
    endpoints[i] = ('{ address = "10.0.0.%d:50051" }'):format(i)
  end
  for i = 1, COUNT do
    routes[i] = ('{ match = { service = "s%d" }, to = "orders", balancer = { "b%d" } }'):format(i, i)
  end
  for edition = 0, ROUNDS do
    write_edition(edition)
  end
  exchange(0)
  proc.write(
    folder .. "/perigee.lua",
    ([[return {
      workers = 2, listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0" }, policies = { path = { "./policies" } },
      registry = { kind = "static", services = { orders = { %s } } },
      routes = { %s },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]]):format(table.concat(endpoints, ", "), table.concat(routes, ", "))
  )
  local process = proc.start(proc.build .. "/perigee", { "serve", "--config", folder .. "/perigee.lua", "--log-level", "warn" })
  return process, process:await_out("perigee ready app=(%S+)", 20000)
end

local function now_ms()
  return uv.hrtime() / 1e6
end

local function call(conn, stream, path, message)
  conn:send(f.frame(f.HEADERS, f.END_HEADERS, stream, f.request(path)) .. f.frame(f.DATA, f.END_STREAM, stream, f.message(message)))
end

--- A connection that asks once a millisecond, unless the answer before is still to come.
local function probe(address)
  local self = { stream = -1, longest = 0 }
  local conn = h2raw.dial(address)
  function conn.script(_, frame)
    conn.frames = {}
    if frame.stream == self.stream and frame.flags % 2 == f.END_STREAM and self.asked then
      self.longest = math.max(self.longest, now_ms() - self.asked)
      self.asked = nil
    elseif frame.kind == f.DATA then
      conn:window(0, math.max(1, #frame.payload))
    end
  end
  local timer = uv.new_timer()
  timer:start(1, 1, function()
    if not self.asked then
      self.stream, self.asked = self.stream + 2, now_ms()
      call(conn, self.stream, "/groupcachepb.GroupCache/Peek", "\10\1g\18\1k")
    end
  end)
  --- The longest time without an answer since it was asked last.
  function self.take()
    local longest = math.max(self.longest, self.asked and now_ms() - self.asked or 0)
    self.longest = 0
    return longest
  end
  return self
end

local function turn(ms)
  local stop = now_ms() + ms
  proc.await("time to pass", ms + 5000, function()
    return now_ms() >= stop
  end)
end

local function longest(probes)
  return math.max(probes[1].take(), probes[2].take())
end

--- How many changes a ReloadPoliciesResponse holds: each is one field of less than 128 bytes.
local function changes(body)
  local count, at = 0, 6
  while at <= #body do
    count, at = count + 1, at + 2 + body:byte(at + 1)
  end
  return count
end

--- Reloads all policies; returns how long that took, and how many were taken over.
local function reload(conn, stream)
  local began = now_ms()
  call(conn, stream, "/perigee.v1.Mesh/ReloadPolicies", "")
  local over
  conn:await("the reload", function()
    over = over or (select(2, conn:body(stream)) and now_ms())
    return over
  end)
  return over - began, changes(conn:body(stream))
end

local process, address = start()
local probes = { probe(address), probe(address) }
local control = h2raw.dial(address)
turn(300)
longest(probes)
print(("%d policies, 2 workers   reload ms   longest wait ms   without a reload"):format(COUNT))
local reloads, waits = {}, {}
for round = 1, ROUNDS do
  longest(probes)
  exchange(round)
  local took, taken = reload(control, 2 * round - 1)
  local wait = longest(probes)
  turn(took)
  -- On a busy machine the watch may have been first.
  if taken == COUNT then
    print(("%23s  %9.1f  %16.1f  %17.1f"):format("", took, wait, longest(probes)))
    reloads[#reloads + 1], waits[#waits + 1] = took, wait
  end
end
print(("%23s  %9.1f  %16.1f"):format("median", measure.median(reloads), measure.median(waits)))
process:kill("sigterm")
assert(process:wait(20000) == 0, process.err)
proc.remove(folder)
os.exit(0)
