local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("the verbs", function()
  local function run(...)
    return proc.run(sidecar.binary, { ... })
  end

  local verbs = { "serve", "check", "get", "set", "remove", "peers", "services", "call", "policy", "explain", "stats", "version" }

  it("are listed and explained", function()
    for _, ask in ipairs({ "help", "--help", "-h" }) do
      local help = run(ask)
      assert.equal(0, help.code)
      for _, verb in ipairs(verbs) do
        assert.truthy(help.out:find("\n  " .. verb, 1, true), verb)
      end
      assert.truthy(help.out:find("Exit status", 1, true))
    end
    for _, verb in ipairs(verbs) do
      for _, args in ipairs({ { "help", verb }, { verb, "--help" } }) do
        local one = run(unpack(args))
        assert.equal(0, one.code)
        assert.truthy(one.out:find("perigee " .. verb, 1, true), one.out)
        assert.is_nil(one.out:find(" \n", 1, true), one.out)
        assert.equal("", one.err)
      end
    end
    assert.truthy(run("get", "--help").out:find("--target ADDR", 1, true))
    assert.is_nil(run("set", "--help").out:find("--json", 1, true))
  end)

  it("tell the version", function()
    local version = run("version").out
    assert.truthy(version:match("^perigee %d+%.%d+%.%d+\n$"))
    assert.equal(version, run("--version").out)
    assert.truthy(run("version", "--json").out:find('{"version": "' .. version:match("[%d.]+") .. '"}', 1, true))
  end)

  it("are used in the right way", function()
    for _, case in ipairs({
      { "use it as: perigee get GROUP KEY", "get", "g" },
      { "use it as: perigee get GROUP KEY", "get", "g", "k", "more" },
      { "use it as: perigee set GROUP KEY VALUE|-", "set", "g", "k" },
      { "use it as: perigee remove GROUP KEY...", "remove", "g" },
      { "use it as: perigee stats [PREFIX]", "stats", "a", "b" },
      { "use it as: perigee services [NAME]", "services", "a", "b" },
      { "did you mean get?", "gte" },
      { "did you mean remove?", "help", "remov" },
      { "see perigee help", "somethingelse" },
      { "unknown option --ttl", "get", "--ttl", "1s", "g", "k" },
    }) do
      local got = run(unpack(case, 2))
      assert.equal(2, got.code)
      assert.equal("", got.out)
      assert.truthy(got.err:find(case[1], 1, true), got.err)
    end
    local nothing = run()
    assert.equal(2, nothing.code)
    assert.truthy(nothing.err:find("perigee VERB --help", 1, true))
  end)
end)
