local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("what is edited", function()
  local car, folder

  local function config(services, more)
    return ([[return {
      %s
      node = { address = "127.0.0.1:1" },
      listen = { app = "127.0.0.1:0", admin = "127.0.0.1:0", mesh = "127.0.0.1:0" },
      registry = { kind = "static", services = { GroupCache = { %s } } },
      groups = { g = { picker = "mine", fallback = { "static_reply", value = "v" } } },
      policies = { path = { "./policies" } },
    }]]):format(more or "workers = 2,", services)
  end

  local self = '{ address = "127.0.0.1:1" }'

  -- Whole, as editors do.
  local function picker(body)
    local file = folder .. "/policies/picker/mine.lua"
    proc.write(file .. "~", 'local policy = require("perigee.policy")\n' .. body)
    assert(os.rename(file .. "~", file))
  end

  local function good(mark)
    picker(([[return policy.picker({
      name = "mine", schema = {}, new = function() return {} end, update = function() end,
      pick = function() return nil, %q end,
    })]]):format(mark))
  end

  before_each(function()
    folder = proc.folder()
    sidecar.folder = folder
    assert(os.execute("mkdir -p " .. folder .. "/policies/picker"))
    good("1")
    car = sidecar.start(config(self))
  end)

  after_each(function()
    car:stop()
    sidecar.teardown()
  end)

  local function reloads(result)
    return car:metric("perigee_config_reloads_total", ('result="%s"'):format(result))
  end

  local function list()
    local got = car:cli("policy", "list", "--json")
    assert.equal(0, got.code, got.err)
    local answer = json.decode(got.out)
    for _, each in ipairs(answer.policies) do
      if each.name == "mine" then
        return each, answer
      end
    end
  end

  local function await_version(version)
    proc.await("version " .. version, 10000, function()
      return list().version == version
    end, function()
      return car.process.err
    end)
  end

  it("takes effect on a signal or without one", function()
    proc.write(car.file, config(self .. ', { address = "127.0.0.1:2" }'))
    car.process:await_err("took over the configuration: 1 change\n")
    car.process:await_err("changed: registry%.services%.GroupCache%[2%]: added\n")
    assert.truthy(car:cli("peers").out:find("127.0.0.1:2", 1, true))
    local before = reloads("taken")
    car.process:kill("sighup")
    car.process:await_err("the configuration is the same\n")
    proc.await("the count", 5000, function()
      return reloads("taken") > before
    end)
    assert.equal(2, car:metric("perigee_snapshot_version"))
    assert.equal(0, reloads("refused"))
  end)

  it("changes nothing when the configuration is wrong, and says why", function()
    for text, words in pairs({ ["return {"] = "perigee%-%d+%.lua:1:", ["return { grops = {} }"] = "did you mean \"groups\"" }) do
      proc.write(car.file, text)
      car.process:kill("sighup")
      car.process:await_err(words)
    end
    os.remove(car.file)
    proc.await("the third refusal", 10000, function()
      return reloads("refused") >= 3
    end)
    assert.truthy(car:cli("peers").out:find("127.0.0.1:1", 1, true))
    local _, answer = list()
    assert.truthy(answer.config_refused:find("no such file", 1, true), answer.config_refused)
    proc.write(car.file, config(self))
    proc.await("the end of the refusal", 10000, function()
      local _, now = list()
      return now.config_refused == ""
    end)
  end)

  it("changes nothing either when a key needs a restart", function()
    proc.write(car.file, (config(self .. ', { address = "127.0.0.1:2" }', "workers = 3,")))
    car.process:await_err("nothing was taken over: workers needs a restart\n")
    car.process:await_err("changed: workers: 2 %-> 3\n")
    assert.is_nil(car:cli("peers").out:find("127.0.0.1:2", 1, true))
  end)

  it("is one policy's next version, by itself or when asked", function()
    assert.equal(1, list().version)
    good("2")
    await_version(2)
    car.process:await_err("picker mine: version 2 runs, made of %S+/picker/mine.lua\n")
    good("3")
    car.process:kill("sighup")
    await_version(3)
    assert.equal(3, car:metric("perigee_policy_version", 'name="mine"'))
    local got = car:cli("policy", "reload", "mine")
    assert.equal(0, got.code, got.err)
    assert.equal("picker mine: version 4 runs, before it 3\n", got.out)
    assert.equal("nothing has changed\n", car:cli("policy", "reload").out)
  end)

  it("is made anew with all others when asked for *", function()
    local got = car:cli("policy", "reload", "*")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("picker mine: version 2 runs, before it 1\n", 1, true), got.out)
    assert.equal(2, list().version)
    assert.equal(4, car:cli("policy", "rollback", "*").code)
  end)

  it("is read once a second however many signals come", function()
    car.process:kill("sighup")
    car.process:await_err("the configuration is the same\n")
    car.process.err = ""
    local stop = os.time() + 3
    while os.time() < stop do
      for _ = 1, 50 do
        car.process:kill("sighup")
      end
      proc.watch(5)
    end
    car.process:await_err("the configuration is the same\n")
    local _, lines = car.process.err:gsub("\n", "")
    assert.truthy(lines <= 4, car.process.err)
  end)

  it("is refused with its words, until it is right", function()
    picker("return policy.picker({ name = }")
    car.process:await_err("picker mine: the edit is refused, version 1 stays: %S*mine.lua:2: ")
    local got = list()
    assert.equal(1, got.version)
    assert.truthy(got.refused:find("mine.lua:2:", 1, true), got.refused)
    assert.equal(1, car:metric("perigee_policy_refused", 'name="mine"'))
    assert.equal(1, car:metric("perigee_policy_reloads_total", 'result="refused"'))
    local again = car:cli("policy", "reload")
    assert.equal(1, again.code)
    assert.truthy(again.out:find("^picker mine: refused, version 1 stays: "), again.out)
    good("2")
    await_version(2)
    assert.equal("", list().refused)
    assert.equal(0, car:metric("perigee_policy_refused", 'name="mine"'))
    picker("return 7")
    car.process:await_err("picker mine: the edit is refused, version 2 stays: ")
    good("2")
    car.process:await_err("picker mine: the refused edit was taken back, version 2 stays\n")
    assert.equal("", list().refused)
  end)

  it("is refused with all others when there are too many files", function()
    local many = sidecar.folder .. "/policies/many"
    assert(os.execute(("mkdir -p %s && cd %s && seq -f f%%.0f.lua 5000 | xargs touch"):format(many, many)) == 0)
    local got = car:cli("policy", "reload")
    assert.equal(1, got.code, got.out)
    assert.truthy(got.err:find("more than 4096 Lua files", 1, true), got.err)
    car:cli("policy", "reload")
    assert.truthy(list().refused:find("more than 4096 Lua files", 1, true), list().refused)
    assert.equal(1, car:metric("perigee_policy_reloads_total", 'result="refused"'))
    assert.equal(1, select(2, car.process.err:gsub("no policy was taken over: ", "")))
    assert(os.execute("rm -r " .. many) == 0)
    assert.equal(0, car:cli("policy", "reload").code)
    assert.equal("", list().refused)
  end)

  it("is rolled back, and not put forward again by itself", function()
    good("2")
    await_version(2)
    local got = car:cli("policy", "rollback", "picker/mine")
    assert.equal(0, got.code, got.err)
    assert.equal("picker mine: version 1 runs, before it 2\n", got.out)
    car.process:await_err("picker mine: back to version 1 from 2\n")
    assert.equal("nothing has changed\n", car:cli("policy", "reload").out)
    car.process:kill("sighup")
    car.process:await_err("the configuration is the same\n")
    assert.equal(1, list().version)
    assert.equal(1, car:metric("perigee_policy_version", 'name="mine"'))
    good("3")
    await_version(3)
  end)

  it("cannot be asked for by a wrong name", function()
    for _, words in ipairs({ { "reload", "none" }, { "rollback", "none" }, { "list", "none" } }) do
      local got = car:cli("policy", words[1], words[2])
      assert.equal(4, got.code, got.err)
      assert.truthy(got.err:find("no policy none is in use", 1, true), got.err)
    end
    local got = car:cli("policy", "rollback", "mine")
    assert.equal(4, got.code, got.out)
  end)

  it("is taken however fast it comes", function()
    for i = 2, 30 do
      good(tostring(i))
      car.process:kill("sighup")
      proc.watch(10)
    end
    car.process:await_err("the configuration is the same\n")
    proc.await("the last one", 10000, function()
      return car:cli("policy", "reload").out == "nothing has changed\n"
    end)
    local got = list()
    assert.truthy(got.version > 1 and got.version <= 30, got.version)
    assert.equal("", got.refused)
  end)
end)
