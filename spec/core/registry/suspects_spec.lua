local uv = require("luv")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local support = require("spec.core.registry.registry_support")

describe("endpoints that vanish together", function()
  local cluster, registry, listeners

  before_each(function()
    cluster = etcd.start({ fast = true })
    listeners = {}
  end)

  after_each(function()
    assert.is_true(registry:free())
    cluster:stop()
    for _, listener in ipairs(listeners) do
      listener:close()
    end
  end)

  local function listen()
    local listener = uv.new_tcp()
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen(64, function() end))
    listeners[#listeners + 1] = listener
    return "127.0.0.1:" .. listener:getsockname().port
  end

  it("stay as suspects while they answer, and go when they do not", function()
    local alive, dead = listen(), "127.0.0.1:" .. proc.free_port()
    for _, address in ipairs({ alive, dead }) do
      cluster:ctl("put", "c/" .. address, ('{"Op":0,"Addr":"%s"}'):format(address))
    end
    registry = assert(support.start(support.tree(cluster.endpoints, "127.0.0.1:7402")))
    registry:await("both", function()
      return select(2, registry:addresses("c"):gsub("%S+", "")) == 2
    end)
    cluster:ctl("del", "--prefix", "c/")
    registry:await("the dead one to go", function()
      return registry:addresses("c") == alive .. "?"
    end)
    registry:step(1500)
    assert.equal(alive .. "?", registry:addresses("c"))
    assert.equal(1, registry:status().services.c.suspects)
    -- Back under its name: nothing to suspect.
    cluster:ctl("put", "c/" .. alive, ('{"Op":0,"Addr":"%s"}'):format(alive))
    registry:await("trust", function()
      return registry:addresses("c") == alive
    end)
    registry:step(2100) -- what was deleted 2 s ago counts no more
    cluster:ctl("del", "c/" .. alive)
    registry:await("the last to go, as one by one they may", function()
      return registry:addresses("c") == ""
    end)
  end)
end)
