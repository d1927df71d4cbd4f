--- Prints what a pick of each balancer and picker takes through C → Lua → C, limits armed.
local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")
local peers = require("spec.core.script.peers_support")

local ROUNDS, RUNS = 1e5, 7

local function endpoints(count, weighted)
  local list = {}
  for i = 1, count do
    list[i] = { ("10.0.%d.%d:50051"):format(math.floor(i / 250), i % 250 + 1), zone = i % 2 == 0 and "a" or "b", weight = weighted and i or 1 }
  end
  return list
end

--- The best of several runs: what the pick takes when neighbours are quiet.
local function measure(name, count, options, weighted)
  local script = s.script({}, ('{"policies":{"path":["%s/plugins"]}}'):format(os.getenv("PERI_ROOT")))
  local balancer = assert(balancers.make(script, name, options))
  assert(balancer:update(endpoints(count, weighted)) == 0, select(2, script:notices()))
  balancer:header("x-user", "user-4711")
  for _, load in pairs(balancer.known) do
    load.ewma_ns = 1e6 + math.random(1e6)
  end
  local best = math.huge
  for _ = 1, RUNS do
    -- Where a hypervisor takes a millisecond, the budget takes it for the pick's.
    local took = balancer:pick_ns(ROUNDS)
    best = took > 0 and math.min(best, took) or best
  end
  assert(best < math.huge, select(2, script:notices()))
  balancers.close(script)
  print(("%-16s %4d  %6.0f  %s"):format(name, count, best, weighted or ""))
end

--- The same for a picker among `count` peers.
local function measure_picker(name, count)
  local script = s.script({}, ('{"policies":{"path":["%s/plugins"]}}'):format(os.getenv("PERI_ROOT")))
  local picker = assert(script:picker(name, "{}"))
  local addresses = {}
  for i, endpoint in ipairs(endpoints(count)) do
    addresses[i] = endpoint[1]
  end
  assert(s.C.script_shim_update(picker, peers(addresses)) == 0)
  assert(script:pick(picker, "user-4711") == 0, select(2, script:notices()))
  local best = math.huge
  for _ = 1, RUNS do
    local took = s.C.script_shim_pick_ns(picker, "user-4711", ROUNDS)
    best = took > 0 and math.min(best, took) or best
  end
  assert(best < math.huge, select(2, script:notices()))
  script:close()
  print(("%-16s %4d  %6.0f  picker"):format(name, count, best))
end

print("balancer            n    ns/pick")
for _, case in ipairs({
  { "round_robin", 4 },
  { "round_robin", 4, nil, "weighted" },
  { "round_robin", 100, nil, "weighted" },
  { "random", 16 },
  { "least_inflight", 16 },
  { "p2c", 16 },
  { "p2c_ewma", 16 },
  { "p2c_ewma", 1000 },
  { "consistent_hash", 16, '{"by":"header:x-user"}' },
  { "zone_first", 16, '{"zone":"a"}' },
  { "subset", 100, '{"size":10}' },
  { "pin", 16, '{"header":"x-user"}' },
}) do
  local file = io.open(("%s/plugins/balancer/%s.lua"):format(os.getenv("PERI_ROOT"), case[1]))
  if file then
    file:close()
    measure(case[1], case[2], case[3], case[4])
  end
end
for _, name in ipairs({ "maglev", "ring_crc32", "rendezvous" }) do
  measure_picker(name, 100)
end
s.clean()
