local support = require("spec.core.etcd.watch_support")
local C, ffi = support.C, support.ffi

describe("watch responses", function()
  local server, rig, probe

  before_each(function()
    local url
    server, url = support.mute()
    rig = support.rig({ url })
    probe = rig:watch("k/", 10)
    rig:step()
    rig:forge({ id = 1, created = true, revision = 20 })
    assert.is_true(probe:live())
  end)

  after_each(function()
    support.free_all()
    server:close()
  end)

  it("become events in order", function()
    rig:forge({ id = 1, revision = 12, events = { { "k/a", "1", 11 }, { "k/b", nil, 12 } } })
    assert.equal("batch 12\nput k/a 1 11\ndelete k/b  12\n", probe:log())
    assert.equal(13, probe:next())
  end)

  it("keep a key apart from one that begins with it", function()
    rig:forge({ id = 1, revision = 12, events = { { "k/ab", "1", 12 }, { "k/a", "2", 12 }, { "k/a", "2", 12 } } })
    assert.equal("put k/a 2 12\nput k/ab 1 12\n", probe:seen())
  end)

  it("are joined until the last fragment", function()
    rig:forge({ id = 1, revision = 11, fragment = true, events = { { "k/a", "1", 11 } } })
    rig:forge({ id = 1, revision = 11, fragment = true, events = { { "k/b", "1", 11 } } })
    assert.equal(0, probe.batches)
    assert.equal(10, probe:next())
    rig:forge({ id = 1, revision = 11, events = { { "k/c", "1", 11 } } })
    assert.equal("batch 11\nput k/a 1 11\nput k/b 1 11\nput k/c 1 11\n", probe:log())
  end)

  it("end a batch of fragments also without an event", function()
    rig:forge({ id = 1, revision = 11, fragment = true, events = { { "k/a", "1", 11 } } })
    rig:forge({ id = 1, revision = 40 })
    assert.equal("put k/a 1 11\n", probe:seen())
    assert.equal(12, probe:next())
  end)

  it("lose what is below the start", function()
    rig:forge({ id = 1, revision = 12, events = { { "k/a", "1", 9 }, { "k/a", "2", 10 } } })
    assert.equal("put k/a 2 10\n", probe:seen())
  end)

  it("lose what was delivered before", function()
    local events = { { "k/a", "1", 11 }, { "k/b", "1", 12 } }
    rig:forge({ id = 1, revision = 12, events = events })
    rig:forge({ id = 1, revision = 12, events = events })
    rig:forge({ id = 1, revision = 13, events = { { "k/b", "1", 12 }, { "k/c", "1", 13 } } })
    rig:forge({ id = 1, revision = 5, events = { { "k/old", "1", 5 } } })
    assert.equal("put k/a 1 11\nput k/b 1 12\nput k/c 1 13\n", probe:seen())
    assert.equal(2, probe.batches)
    assert.equal(0, probe.resets)
  end)

  it("are put in order, each event once", function()
    rig:forge({
      id = 1,
      revision = 13,
      events = { { "k/c", "1", 13 }, { "k/a", "1", 11 }, { "k/b", "1", 12 }, { "k/a", "1", 11 } },
    })
    assert.equal("put k/a 1 11\nput k/b 1 12\nput k/c 1 13\n", probe:seen())
  end)

  it("that are no message end the stream", function()
    rig:raw("\255\255\255\255")
    assert.equal("garbage", probe:kind())
    assert.is_false(probe:live())
  end)

  it("with an event without a key end the stream", function()
    rig:forge({ id = 1, revision = 12, events = { { "k/a", "1", 12 }, { "k/b", "1", 0 } } })
    assert.equal("garbage", probe:kind())
    assert.equal(0, probe.events)
    assert.equal(10, probe:next())
  end)

  it("with an event of a kind that etcd does not have end the stream", function()
    -- WatchResponse{watch_id = 0, events = {{type = 7, kv = {key = "k", mod_revision = 12}}}}
    rig:raw("\90\9\8\7\18\5\10\1k\24\12")
    assert.equal("garbage", probe:kind())
  end)

  it("with a revision that has no next one end the stream", function()
    local last = 9223372036854775807LL
    rig:forge({ id = 1, revision = last })
    assert.equal(10, probe:next())
    rig:forge({ id = 1, revision = last, events = { { "k/a", "1", last } } })
    assert.equal("garbage", probe:kind())
    assert.equal(10, probe:next())
  end)

  it("of which one revision is too large end the stream", function()
    local part = { id = 1, revision = 11, fragment = true, padding = 1024 * 1024 * 20, events = { { "k/a", "1", 11 } } }
    for _ = 1, 3 do
      rig:forge(part)
      assert.is_true(probe:live())
    end
    rig:forge(part)
    assert.equal("garbage", probe:kind())
    assert.matches("too many", probe:text())
  end)

  it("say why a watch was cancelled", function()
    local status = ffi.new("int[1]")
    local function kind(text)
      local number = C.peri_watch_reason_kind(text, status)
      return ffi.string(C.peri_etcd_kind_name(number)) .. " " .. status[0]
    end
    assert.equal("token 16", kind("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"))
    assert.equal("denied 7", kind("rpc error: code = PermissionDenied desc = etcdserver: permission denied"))
    assert.equal("token 3", kind("rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old"))
    assert.equal("denied 7", kind("etcdserver: permission denied"))
    assert.equal("compacted 11", kind("etcdserver: mvcc: required revision has been compacted"))
    assert.equal("busy 14", kind(""))
    assert.equal("busy 14", kind(("x"):rep(1000)))
    assert.equal("busy 2", kind("rpc error: code = Nonsense desc = whatever"))
    assert.equal("busy 14", kind("rpc error: code = desc ="))
  end)
end)
