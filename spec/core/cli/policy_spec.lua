local json = require("spec.support.json")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("perigee policy", function()
  local car

  setup(function()
    sidecar.folder = proc.folder()
    car = sidecar.start([[return {
      workers = 2,
      listen = { app = "127.0.0.1:0", admin = false },
      groups = { g = { picker = "maglev", fallback = { "static_reply", value = "v" } } },
    }]])
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("shows a table", function()
    local got = car:cli("policy", "list")
    assert.equal(0, got.code, got.err)
    assert.truthy(got.out:find("^KIND +NAME +VERSION +STATE +CALLS +ERRORS +MEMORY +FILE\n"), got.out)
    assert.truthy(got.out:find("\nfallback +static_reply +1 +running +0 +0 +%d+KiB +/%S+/fallback/static_reply.lua\n"), got.out)
    assert.truthy(got.out:find("\npicker +maglev +1 +running +"), got.out)
  end)

  it("shows one policy", function()
    for _, name in ipairs({ "maglev", "picker/maglev" }) do
      local got = car:cli("policy", "list", name)
      assert.equal(0, got.code, got.err)
      assert.truthy(got.out:find("maglev", 1, true) and not got.out:find("static_reply", 1, true), got.out)
    end
    assert.equal(4, car:cli("policy", "list", "none").code)
  end)

  it("prints JSON", function()
    local answer = json.decode(car:cli("policy", "list", "--json").out)
    assert.equal("", answer.config_refused)
    local found
    for _, each in ipairs(answer.policies) do
      found = each.name == "static_reply" and each or found
    end
    assert.equal(2, found.workers)
    assert.truthy(found.memory_bytes > 0)
    found.memory_bytes, found.file = nil, nil
    assert.same({
      kind = "fallback", name = "static_reply", version = 1, previous = 0, calls = 0, errors = 0, uses = 2, workers = 2,
      off_workers = 0, off_ms = 0, last_error = "", refused = "",
    }, found)
    assert.same({}, json.decode(car:cli("policy", "reload", "--json").out))
    local changes = json.decode(car:cli("policy", "reload", "static_reply", "--json").out)
    assert.same({ { kind = "fallback", name = "static_reply", from = 1, to = 2, refused = "" } }, changes)
    changes = json.decode(car:cli("policy", "rollback", "static_reply", "--json").out)
    assert.same({ { kind = "fallback", name = "static_reply", from = 2, to = 1, refused = "" } }, changes)
  end)

  it("is used with a word that it knows", function()
    for _, words in ipairs({ {}, { "show" }, { "rollback" }, { "list", "a", "b" }, { "reload", "a", "b" } }) do
      local got = proc.run(sidecar.binary, { "policy", "--target", car.app, unpack(words) })
      assert.equal(2, got.code, got.out)
      assert.truthy(got.err:find("use it as: perigee policy ", 1, true), got.err)
    end
  end)

  it("fails when there is no sidecar", function()
    local got = proc.run(sidecar.binary, { "policy", "list", "--target", "127.0.0.1:1", "--timeout", "2s" })
    assert.equal(1, got.code)
    assert.truthy(got.err:find("UNAVAILABLE", 1, true), got.err)
  end)
end)
