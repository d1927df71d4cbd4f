local M = require("spec.core.etcd.rig")
local etcd = require("spec.support.etcd")

describe("etcd/maintenance", function()
  local cluster, rig

  setup(function()
    cluster = etcd.start({ members = 3, fast = true })
    rig = assert(M.open({ endpoints = cluster.endpoints }))
  end)
  teardown(function()
    M.close_all()
    etcd.stop_all()
  end)

  it("asks the member that is meant", function()
    local leaders = {}
    for i = 0, 2 do
      local got = rig:status(i)
      assert.equal("ok", got.kind, got.text)
      assert.truthy(got.bytes:match("^3%.%d+%.%d+$"), got.bytes)
      assert.truthy(got.raft_term >= 2 and got.revision >= 1)
      assert.equal(1, got.messages)
      if got.number == 1 then
        leaders[#leaders + 1] = i + 1
      end
    end
    assert.same({ cluster:leader() }, leaders)
  end)

  it("hears from a member that knows no leader, and of one that is gone", function()
    local left = cluster:leader()
    for i = 1, 3 do
      if i ~= left then
        cluster:kill(i)
      end
    end
    rig:await("a member without a leader", function()
      local got = rig:status(left - 1)
      return got.kind == "ok" and got.flag
    end)
    local gone = rig:status(left % 3)
    assert.equal("unreachable", gone.kind, gone.text)
    assert.truthy(gone.ms < 3000 * require("spec.support.proc").patience)
  end)
end)
