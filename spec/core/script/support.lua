--- What the specs of this room share: policy files in a folder of their own, a
--- script on a loop, and its calls.
local assert = require("luassert")
local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")

local C, ffi = cffi.load({
  "base/error.h",
  "base/json.h",
  "base/metrics.h",
  "loop/loop.h",
  "model/peers.h",
  "script/vm.h",
  "script/lib.h",
  "script/script.h",
  "script/script_shim.h",
})

local M = { C = C, ffi = ffi, cffi = cffi }

local function shell(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

--- Runs a command that must succeed.
function M.shell(format, ...)
  assert(os.execute(format:format(...)) == 0)
end

--- A new folder; M.clean() removes all of them.
local folders = {}
function M.folder()
  local path = shell("mktemp -d"):gsub("%s+$", "")
  folders[#folders + 1] = path
  return path
end

function M.clean()
  for _, path in ipairs(folders) do
    shell("rm -rf '" .. path .. "'")
  end
  folders = {}
end

function M.write(path, text)
  shell("mkdir -p '" .. path:match("^(.*)/") .. "'")
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

-- VMs -----------------------------------------------------------------------

local out = ffi.new("char[?]", 8192)

--- Evaluates Lua text in a VM. Returns the code and tostring() of the result.
function M.eval(vm, text, steps, time_ms, loading)
  local code = C.script_shim_eval(vm, text, steps or 1e7, (time_ms or 2000) * 1e6, loading or false, out, 8192)
  return code, ffi.string(out)
end

function M.vm(memory, lua_dir, plugins_dir)
  local vm = C.script_shim_vm(memory or 0, lua_dir, plugins_dir)
  assert(vm ~= nil)
  return ffi.gc(vm, C.peri_vm_free)
end

-- Scripts -------------------------------------------------------------------

local Script = {}
Script.__index = Script

-- What a configuration names that names no balancer.
local default_balancer = [[
  return require("perigee.policy").balancer({ name = "p2c_ewma", pick = function(_, _, endpoints) return endpoints[1] end })]]

--- A script whose plugins folder holds `files`: { ["picker/x.lua"] = "…" }.
function M.script(files, config)
  local folder = M.folder()
  M.write(folder .. "/balancer/p2c_ewma.lua", default_balancer)
  for name, text in pairs(files) do
    M.write(folder .. "/" .. name, text)
  end
  local problem = ffi.new("struct peri_problem")
  local lua_dir = os.getenv("PERI_ROOT") .. "/lua"
  local shim = C.script_shim_new(config or "{}", lua_dir, folder, problem)
  assert(shim ~= nil, ffi.string(problem.text))
  return setmetatable({ shim = shim, folder = folder, pickers = {}, fallbacks = {} }, Script)
end

local function make(self, call, type, kept, name, options)
  local ret = ffi.new("struct " .. type .. " *[1]")
  local problem = ffi.new("struct peri_problem")
  local code = call(self.shim, name, options, ret, problem)
  if code < 0 then
    return nil, code, ffi.string(problem.text)
  end
  assert.equal(0, C.script_shim_sleepers(self.shim))
  kept[#kept + 1] = ret[0]
  return ret[0]
end

function Script:picker(name, options)
  return make(self, C.script_shim_picker, "peri_picker", self.pickers, name, options)
end

function Script:fallback(name, options)
  return make(self, C.script_shim_fallback, "peri_fallback", self.fallbacks, name, options)
end

function Script:pick(picker, key)
  local index = ffi.new("size_t[1]", 999)
  local code = C.script_shim_pick(picker, key, index)
  return code, tonumber(index[0])
end

--- Fetches to the end and returns the outcome as a table.
function Script:fetch(fallback, key, options)
  options = options or {}
  local outcome = ffi.new("struct script_outcome")
  local fetch = ffi.new("struct peri_fetch *[1]")
  local code = C.script_shim_fetch(
    fallback,
    key or "NZ",
    options.cause or "origin",
    options.peer or "",
    options.timeout_ms or 5000,
    outcome,
    fetch
  )
  assert.equal(0, code)
  assert.equal(0, outcome.calls, "done came from within fetch()")
  C.script_shim_wait(self.shim, outcome, 5000)
  return M.outcome(outcome)
end

function M.outcome(outcome)
  return {
    calls = outcome.calls,
    code = outcome.code,
    value = ffi.string(outcome.value, math.min(256, tonumber(outcome.value_len))),
    ttl_ns = tonumber(outcome.ttl_ns),
    negative_ttl_ns = tonumber(outcome.negative_ttl_ns),
    text = ffi.string(outcome.text),
  }
end

--- Changes files (false removes one) and prepares what the folder then holds.
--- Returns the failures, a line each, and the turns of the loop it took.
--- @param options? { config: string?, force: string? }
function Script:prepare(files, options)
  options = options or {}
  for name, text in pairs(files) do
    if text then
      M.write(self.folder .. "/" .. name, text)
    else
      os.remove(self.folder .. "/" .. name)
    end
  end
  assert.equal(0, C.script_shim_prepare(self.shim, options.config, options.force))
  assert.equal(0, self.shim.prepared, "done came from within prepare()")
  local turns = C.script_shim_prepared(self.shim, proc.patience * 5000)
  assert.is_true(turns > 0, "it is not prepared in time")
  assert.equal(0, C.script_shim_sleepers(self.shim))
  return ffi.string(self.shim.failures), turns
end

function Script:commit()
  C.peri_script_commit(self.shim.script)
end

--- Prepares and commits what could be prepared.
function Script:reload(files, options)
  local failures = self:prepare(files, options)
  self:commit()
  return failures
end

--- @return integer code
--- @return string words
function Script:rollback(kind, name)
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_script_rollback(self.shim.script, kind, name, problem)
  return code, ffi.string(problem.text)
end

--- What peri_script_each() shows of a policy, or nil.
function Script:policy(kind, name)
  local shown = ffi.new("struct script_shim_policy")
  if not C.script_shim_policy(self.shim, kind, name, shown) then
    return nil
  end
  return {
    version = shown.version,
    previous = shown.previous,
    seats = shown.seats,
    digest = shown.digest,
    off = shown.off,
    off_ms = tonumber(shown.off_ms),
    calls = tonumber(shown.calls),
    errors = tonumber(shown.errors),
    bytes = tonumber(shown.bytes),
    path = ffi.string(shown.path),
    last_error = ffi.string(shown.last_error),
  }
end

--- The gauge perigee_policy_off of a policy.
function Script:off(kind, name)
  local metric = C.peri_metrics_gauge(self.shim.metrics, "perigee_policy_off", "", ('kind="%s",name="%s"'):format(kind, name))
  return tonumber(C.peri_metric_value(metric))
end

--- Runs the loop until `what` is true.
function Script:await(what)
  local limit = os.time() + proc.patience * 10
  while not what() do
    assert.is_true(os.time() < limit, "it does not come")
    C.script_shim_step(self.shim, 5)
  end
end

function Script:notices()
  return self.shim.notices, ffi.string(self.shim.notice)
end

--- The value of perigee_policy_errors_total for a policy.
function Script:errors(kind, name)
  local metric =
    C.peri_metrics_counter(self.shim.metrics, "perigee_policy_errors_total", "", ('kind="%s",name="%s"'):format(kind, name))
  return tonumber(C.peri_metric_value(metric))
end

--- Frees everything and asserts that nothing was left.
function Script:close()
  for _, picker in ipairs(self.pickers) do
    C.script_shim_free_picker(picker)
  end
  for _, fallback in ipairs(self.fallbacks) do
    C.script_shim_free_fallback(fallback)
  end
  assert.is_true(C.script_shim_free(self.shim))
end

--- A peers snapshot of these addresses, sorted.
function M.peers(addresses, self_address)
  local array = ffi.new("const char *[?]", math.max(1, #addresses), addresses)
  local peers = C.script_shim_peers(array, #addresses, self_address or "")
  assert(peers ~= nil)
  return ffi.gc(peers, C.peri_peers_unref)
end

M.names = {}
for _, name in ipairs({ "ENOMEM", "EINVAL", "ENOTFOUND", "ELIMIT", "ETIMEOUT", "ESCRIPT", "ECONFIG", "EIO", "ECONNECT", "EBUSY" }) do
  M[name] = tonumber(ffi.cast("int", C["PERI_" .. name]))
end

return M
