local support = require("spec.core.cache.mesh_support")
local S = support.status

-- The behaviours of groupcache's TestGetDupSuppress, TestNoDedup and singleflight.
describe("one load for all who ask", function()
  local mesh
  before_each(function()
    mesh = support.mesh({ workers = 3, peers = false })
  end)
  after_each(function()
    mesh:free()
  end)

  local function waiting(count)
    mesh:await(function()
      return mesh:metric(0, "perigee_cache_joined_total") >= count
    end, count .. " waiters")
  end

  it("holds across workers", function()
    mesh:hold(0, true)
    for worker = 0, 2 do
      mesh:start("Get", support.request("scores", "Tom"), { worker = worker, count = 3000 })
    end
    waiting(8999)
    mesh:hold(0, false)
    mesh:drain()
    assert.equal(1, mesh:fetches(0))
    assert.equal(9000, mesh:ended(S.PERI_STATUS_OK))
    assert.equal("VALUE-OF Tom", mesh:result(4500).value)
  end)

  it("keeps every waiter's own deadline", function()
    mesh:hold(0, true)
    local patient = mesh:start("Get", support.request("scores", "Tom"), { worker = 0 })
    waiting(0)
    local hurried = mesh:start("Get", support.request("scores", "Tom"), { worker = 1, timeout = 30 })
    assert.equal(S.PERI_STATUS_DEADLINE_EXCEEDED, mesh:finish(hurried).status)
    assert.equal(-1, mesh:status(patient))
    mesh:hold(0, false)
    assert.equal("VALUE-OF Tom", mesh:finish(patient).value)
    assert.equal(1, mesh:fetches(0))
  end)

  it("goes on when the one who started it leaves", function()
    mesh:hold(0, true)
    local leader = mesh:start("Get", support.request("scores", "Tom"), { worker = 0 })
    mesh:await(function()
      return mesh:fetches(0) == 1
    end)
    local follower = mesh:start("Get", support.request("scores", "Tom"), { worker = 1 })
    waiting(1)
    mesh:cancel(leader)
    for _ = 1, 20 do
      mesh:step()
    end
    mesh:hold(0, false)
    assert.equal("VALUE-OF Tom", mesh:finish(follower).value)
    assert.equal("VALUE-OF Tom", mesh:get("Tom", { worker = 2 }).value)
    assert.equal(1, mesh:fetches(0))
  end)

  it("goes on, and is stored, when everybody left", function()
    mesh:hold(0, true)
    local leader = mesh:start("Get", support.request("scores", "Tom"))
    mesh:await(function()
      return mesh:fetches(0) == 1
    end)
    mesh:cancel(leader)
    mesh:hold(0, false)
    mesh:await(function()
      return not S.peri_shim_mesh_busy(mesh.handle, 0)
    end)
    assert.equal("VALUE-OF Tom", mesh:call("Peek", support.request("scores", "Tom")).value)
    assert.equal(1, mesh:fetches(0))
  end)

  it("tells everybody that it failed, and is not remembered", function()
    mesh:hold(0, true)
    for worker = 0, 2 do
      mesh:start("Get", support.request("scores", "fail"), { worker = worker, count = 10 })
    end
    waiting(29)
    mesh:hold(0, false)
    mesh:drain()
    assert.equal(30, mesh:ended(S.PERI_STATUS_INTERNAL))
    assert.equal("the fallback failed: it raised", mesh:result(17).text)
    mesh:get("fail")
    assert.equal(2, mesh:fetches(0))
  end)

  it("survives waiters that leave while it ends", function()
    for round = 1, 40 do
      local key = "key " .. round
      mesh:hold(0, true)
      local first = mesh:start("Get", support.request("scores", key), { worker = 0, count = 20 })
      mesh:start("Get", support.request("scores", key), { worker = 1, count = 20 })
      mesh:start("Get", support.request("scores", key), { worker = 2, count = 20 })
      waiting(59 * round)
      for i = 0, 59, 2 do
        mesh:cancel(first + i)
        if i == 30 then
          mesh:hold(0, false)
        end
      end
      mesh:drain()
      S.peri_shim_mesh_forget(mesh.handle)
    end
    assert.equal(40, mesh:fetches(0))
  end)

  it("ends with the worker, never in silence", function()
    mesh:start("Get", support.request("scores", "hang"), { worker = 0 })
    mesh:await(function()
      return mesh:fetches(0) == 1
    end)
    mesh:start("Get", support.request("scores", "hang"), { worker = 1, count = 5 })
    waiting(5)
    mesh:stop(0)
    mesh:drain()
    assert.equal(6, mesh:ended(S.PERI_STATUS_UNAVAILABLE))
  end)
end)
