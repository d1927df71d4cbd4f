--- Prints what a fresh VM of each shipped policy holds, and how long one worker takes to
--- prepare 50 policies and to take them.
local s = require("spec.core.script.support")
local balancers = require("spec.core.script.balancer_support")
local C, ffi = s.C, s.ffi

local COUNT, RUNS = 50, 5
local root = os.getenv("PERI_ROOT")

local function read(path)
  local file = assert(io.open(path))
  local text = file:read("*a")
  file:close()
  return text
end

local function now_ms()
  return tonumber(C.script_shim_now_ns()) / 1e6
end

print("fresh VM              KiB")
for name, options in pairs({
  round_robin = "{}",
  p2c_ewma = "{}",
  consistent_hash = '{"by":"header:x"}',
  zone_first = '{"zone":"a"}',
  subset = '{"size":3}',
}) do
  local script = s.script({ [("balancer/%s.lua"):format(name)] = read(("%s/plugins/balancer/%s.lua"):format(root, name)) })
  assert(balancers.make(script, name, options))
  print(("%-20s %5.1f"):format(name, script:policy("balancer", name).bytes / 1024))
  balancers.close(script)
end

local source = read(root .. "/plugins/balancer/p2c_ewma.lua")
local files = {}
for i = 1, COUNT do
  files[("balancer/b%d.lua"):format(i)] = source:gsub('"p2c_ewma"', ('"b%d"'):format(i))
end
local script = s.script(files)
local endpoints = {}
for i = 1, 16 do
  endpoints[i] = ("10.0.0.%d:50051"):format(i)
end
for i = 1, COUNT do
  assert(balancers.make(script, "b" .. i)):update(endpoints)
end

print(("\n%d policies  prepared ms  longest turn ms  commit ms"):format(COUNT))
for _ = 1, RUNS do
  assert(C.script_shim_prepare(script.shim, nil, "*") == 0)
  local start, longest = now_ms(), 0
  while script.shim.prepared == 0 do
    local before = now_ms()
    -- Without waiting: only what it does is a turn.
    C.script_shim_step(script.shim, 0)
    longest = math.max(longest, now_ms() - before)
  end
  local ready = now_ms()
  script:commit()
  local switched = now_ms()
  print(("%12s  %11.1f  %15.1f  %9.2f"):format("", ready - start, longest, switched - ready))
  assert(ffi.string(script.shim.failures) == "")
  for _ = 1, 200 do
    C.script_shim_step(script.shim, 1)
  end
end
balancers.close(script)
s.clean()
