--- Reads the hostile policies below spec/script/hostile and makes each of their attacks
--- on the real engine. In the comment on top of a policy:
---   kind: balancer | picker | fallback
---   alone            nothing else of the policy works after it (what it keeps fills its memory)
---   case NAME: STAGE: WORDS | OTHER WORDS
--- NAME is the policy's option `case`. STAGE says where it must fail: load, new, update, pick,
--- later (the update after a pick), done, fetch, export or import; WORDS are part of what is said then, or "nothing" when the
--- policy itself sees to it that the attack fails (and then, perhaps, runs out of its budget).
local assert = require("luassert")
local balancers = require("spec.core.script.balancer_support")
local proc = require("spec.support.proc")
local s = balancers.s
local C = s.cffi.load({ "script/hostile_shim.h" })

local M = {}

local folder = os.getenv("PERI_ROOT") .. "/spec/script/hostile"
local slowdown = C.hostile_shim_slowdown()
-- Of budgets in milliseconds, as they are when nothing is configured; `new` is part of loading.
local budgets = { load = 20, new = 20, update = 5, pick = 1, done = 1, fetch = 5, export = 5, import = 20 }
-- What collects garbage all the time has no time for anything else.
local patient = ('"pick":"%dms","update":"%dms","fetch":"%dms","load":"%dms"'):format(20 / slowdown, 20 / slowdown, 20 / slowdown, 5000 / slowdown)
local addresses = { "10.0.0.1:1", "10.0.0.2:2", "10.0.0.3:3" }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local function list(below)
  local names = {}
  local pipe = assert(io.popen(("ls '%s/%s'"):format(folder, below)))
  for name in pipe:lines() do
    names[#names + 1] = name:match("^(.*)%.lua$")
  end
  pipe:close()
  return names
end

--- @return { name: string, text: string, kind: string, alone: boolean, cases: table[] }[]
function M.attacks()
  local attacks = {}
  for _, name in ipairs(list("")) do
    local text = read(("%s/%s.lua"):format(folder, name))
    local head = text:match("^(%-%-[^\n]*\n[%-][^\n]*\n.-)\n[^-]") or text
    local attack = { name = name, text = text, kind = head:match("\n%-%- kind: (%a+)"), cases = {} }
    attack.alone = head:find("\n-- alone", 1, true) ~= nil
    for case, stage, words in head:gmatch("\n%-%- case ([%w_]+): (%a+): ([^\n]+)") do
      attack.cases[#attack.cases + 1] = { name = case, stage = stage, words = words }
    end
    assert(attack.kind and #attack.cases > 0, name .. " does not say what it is")
    attacks[#attacks + 1] = attack
  end
  return attacks
end

local good = [[
  local json = require("perigee.json")
  return require("perigee.policy").balancer({ name = "good", pick = function(_, request, endpoints)
    local words = json.decode(json.encode({ word = ("good"):upper() }))
    return endpoints[math.min(2, #endpoints)], words.word:lower() .. " " .. request:method()
  end })]]

local Run = {}
Run.__index = Run

local function says(case, words)
  for wanted in (case.words .. " | "):gmatch("(.-) | ") do
    if words:find(wanted, 1, true) then
      return
    end
  end
  assert.equal(case.words, words)
end

local path

--- Lays the policies out as an operator does. To be removed in the end.
function M.open()
  path = s.folder()
  for _, attack in ipairs(M.attacks()) do
    s.write(("%s/%s/%s.lua"):format(path, attack.kind, attack.name), attack.text)
  end
  for _, name in ipairs(list("modules")) do
    s.write(("%s/%s.lua"):format(path, name), read(("%s/modules/%s.lua"):format(folder, name)))
  end
  s.write(path .. "/balancer/good.lua", good)
end

function M.close()
  s.clean()
end

local function begin(attack, case, stressed)
  local config = ('{"policies":{"path":["%s"],"limits":{%s}}}'):format(path, stressed and patient or "")
  local run = setmetatable({ attack = attack, case = case, stressed = stressed, worst = {} }, Run)
  run.script = s.script({}, config)
  if stressed then
    C.hostile_shim_stress(run.script.shim)
  end
  run.good = assert(balancers.make(run.script, "good"))
  assert.equal(0, run.good:update(addresses))
  return run
end

--- Calls and notes how long this thread worked on it.
function Run:timed(stage, call, ...)
  collectgarbage("stop")
  local started = C.hostile_shim_cpu_ns()
  local results = { call(...) }
  local took = tonumber(C.hostile_shim_cpu_ns() - started) / 1e6
  collectgarbage("restart")
  self.worst[stage] = math.max(self.worst[stage] or 0, took)
  return unpack(results, 1, 3)
end

function Run:make(case)
  local kind, name, options = self.attack.kind, self.attack.name, case and ('{"case":"%s"}'):format(case)
  if kind == "balancer" then
    return balancers.make(self.script, name, options)
  end
  return self.script[kind](self.script, name, options)
end

function Run:made(case)
  local object, code, words = self:make(case)
  assert(object, ("%s %s"):format(tostring(code), tostring(words)))
  return object
end

function Run:update(object)
  if self.attack.kind == "balancer" then
    return object:update(addresses)
  elseif self.attack.kind == "picker" then
    self.peers = s.peers(addresses)
    return C.script_shim_update(object, self.peers)
  end
  return 0
end

--- @return integer code
--- @return string words of a balancer's reason or a fetch
function Run:call(object)
  if self.attack.kind == "balancer" then
    local address, code, words = object:pick()
    if address then
      return 0, code
    end
    return code, words
  elseif self.attack.kind == "picker" then
    return self.script:pick(object, "key"), ""
  end
  local outcome = self.script:fetch(object)
  return outcome.code, outcome.text
end

-- What the application is told: with a place, with a traceback, and only once.
function Run:told(errors)
  local notices, words = self.script:notices()
  local name = self.attack.name
  assert.equal(errors, self.script:errors(self.attack.kind, name), words)
  if errors == 0 then
    assert.equal(0, notices, words)
    return
  end
  -- The same attack can end with its time once, and once in another way.
  local differs = self.case.words:find("budget of", 1, true) or self.case.words:find(" | ", 1, true)
  assert.is_true(notices == 1 or notices == 2 and differs ~= nil, notices .. " " .. words)
  assert.truthy(words:find(("%s %s: "):format(self.attack.kind, name), 1, true), words)
  says(self.case, words)
  -- What the policy itself is not in any more is said of where it was declared.
  local line = words:find(name .. "%.lua:%d+: ") or words:find("traceback:.*" .. name .. "%.lua:%d+:")
  assert.truthy(line or words:find("/hostile%.lua:%d+: "), words)
  assert.truthy(words:find("\nstack traceback:\n", 1, true), words)
end

function Run:refused(code, words)
  assert.is_true(code == s.ESCRIPT or code == s.ENOMEM or code == s.ECONFIG, tostring(code) .. " " .. tostring(words))
  says(self.case, words)
  -- `new` can say no in its own words.
  assert.truthy(code == s.ECONFIG or words:find("%.lua:%d+: "), words)
end

-- The attack itself. A call is made twice, since the second finds what the first left.
local stages = {}

function stages.load(run)
  for _ = 1, 2 do
    local object, code, words = run:timed("load", run.make, run)
    assert.is_nil(object)
    run:refused(code, words)
  end
end

function stages.new(run)
  run.calm = run:made()
  for _ = 1, 2 do
    local object, code, words = run:timed("new", run.make, run, run.case.name)
    assert.is_nil(object)
    run:refused(code, words)
  end
end

function stages.update(run)
  local object = run:made(run.case.name)
  for _ = 1, 2 do
    local code = run:timed("update", run.update, run, object)
    assert.equal(s.ESCRIPT, code)
    assert.equal(s.ESCRIPT, (run:call(object)))
  end
  run:told(2)
end

function stages.pick(run)
  local object = run:made(run.case.name)
  assert.equal(0, run:update(object))
  assert.equal(0, run:update(object))
  local wanted = run.case.words
  local failures = 0
  for _ = 1, 2 do
    local stage = run.attack.kind == "fallback" and "fetch" or "pick"
    local code, words = run:timed(stage, run.call, run, object)
    local failed = code < 0 and code ~= s.ENOTFOUND
    failures = failures + (failed and 1 or 0)
    local shown = ("%d %s %s"):format(code, words, select(2, run.script:notices()))
    assert.is_true(failed and wanted ~= "nothing" or not failed and wanted:find("^nothing") ~= nil, shown)
  end
  run:told(failures)
end
stages.fetch = stages.pick

function stages.done(run)
  local object = run:made(run.case.name)
  assert.equal(0, run:update(object))
  for _ = 1, 2 do
    assert.equal(0, (run:call(object)))
    run:timed("done", object.done, object, addresses[1])
  end
  run:told(run.case.words ~= "nothing" and 2 or 0)
end

-- What a pick has kept is used by a later update.
function stages.later(run)
  local object = run:made(run.case.name)
  assert.equal(0, run:update(object))
  assert.equal(0, (run:call(object)))
  assert.equal(s.ESCRIPT, (run:update(object)))
  run:told(1)
end

-- What fails to export is lost, and the next version begins without it.
function stages.export(run)
  local object = run:made(run.case.name)
  assert.equal(0, run:update(object))
  local file = ("%s/%s"):format(run.attack.kind, run.attack.name)
  assert.equal("", run.script:reload({}, { force = file }))
  assert.equal(2, run.script:policy(run.attack.kind, run.attack.name).version)
  assert.equal(0, (run:call(object)))
  local _, words = run.script:notices()
  says(run.case, words)
end

-- What fails to import is refused, and what runs goes on.
function stages.import(run)
  local object = run:made(run.case.name)
  assert.equal(0, run:update(object))
  local file = ("%s/%s"):format(run.attack.kind, run.attack.name)
  local failures = run.script:reload({}, { force = file })
  run:refused(s.ESCRIPT, failures)
  assert.equal(1, run.script:policy(run.attack.kind, run.attack.name).version)
  assert.equal(0, (run:call(object)))
end

-- Other objects of the policy, other policies, and a policy that is mended.
function Run:others()
  assert.same({ addresses[2], "good Place" }, { self.good:pick() })
  if not self.attack.alone and self.case.stage ~= "load" then
    local calm = self.calm or self:made()
    assert.equal(0, self:update(calm))
    for _ = 1, 2 do
      local code, words = self:call(calm)
      assert.equal(0, code, words)
    end
  end
  assert.same({ addresses[2], "good Place" }, { self.good:pick() })
end

local function limit(stage)
  return (budgets[stage] + 10) * math.max(slowdown, proc.patience)
end

local function attempt(attack, case, stressed)
  local run = begin(attack, case, stressed)
  local ok, words = xpcall(function()
    stages[case.stage](run)
    run:others()
  end, function(err)
    return type(err) == "table" and err or debug.traceback(tostring(err))
  end)
  local closed, why = pcall(balancers.close, run.script)
  if not ok then
    error(words, 0)
  end
  assert(closed, why)
  return run.worst
end

--- Makes one attack and sees to it that nothing comes of it.
--- @return table<string, number> worst milliseconds of each stage
function M.make(attack, case, stressed)
  -- The machine can be slow once, but a policy that is not stopped is slow each time.
  for turn = 1, 3 do
    local worst = attempt(attack, case, stressed)
    local late
    for stage, took in pairs(worst) do
      if not stressed and took > limit(stage) then
        late = ("%s took %.1f ms of at most %d"):format(stage, took, limit(stage))
      end
    end
    if not late then
      return worst
    end
    assert(turn < 3, late)
  end
end

return M
