local M = require("spec.core.h2.rig")
local C, ffi = M.C, M.ffi

describe("h2/pool", function()
  local rig
  after_each(function()
    rig.free()
  end)

  --- An address that nobody listens on.
  local function dead()
    local port = ffi.new("uint16_t[1]")
    local fd = C.rig_mute(port)
    ffi.C.close(fd)
    return "127.0.0.1:" .. port[0]
  end

  it("makes one connection for a burst of first calls", function()
    rig = M.rig()
    rig.listen()
    local calls = {}
    for i = 1, 50 do
      calls[i] = rig.open("/echo", "x")
    end
    for i = 1, 50 do
      assert.equal(0, rig.wait(calls[i])["end"].code)
    end
    assert.equal(1, rig.ptr.accepted)
  end)

  it("keeps addresses apart", function()
    rig = M.rig()
    local address = rig.listen()
    assert.equal(0, rig.fetch("/echo", nil, address)["end"].code)
    assert.equal(C.PERI_ECONNECT, rig.fetch("/echo", nil, dead())["end"].code)
    assert.equal(0, rig.fetch("/echo", nil, address)["end"].code)
    local by_name = rig.fetch("/echo", nil, "localhost:" .. address:match("%d+$"))
    assert.equal(0, by_name["end"].code)
    assert.equal(2, rig.ptr.accepted)
  end)

  it("tries again after the back-off, which grows with each failure", function()
    rig = M.rig({ pool = { backoff_min_ms = 40, backoff_max_ms = 400 } })
    local address = dead()
    -- Only streams that get a connection are counted: a held back one does not.
    local function attempts()
      return rig.metric("perigee_h2_streams_total", 'listener="client"')
    end
    local waits = {}
    assert.equal(C.PERI_ECONNECT, rig.fetch("/echo", nil, address)["end"].code)
    for i = 1, 3 do
      assert.equal(i, attempts())
      local from = tonumber(C.peri_loop_now_ns(rig.ptr.loop))
      while true do
        local call = rig.open("/echo", nil, address)
        if attempts() > i then
          rig.wait(call)
          break
        end
        rig.step(0)
        assert.equal(1, call.closes)
        rig.step(5)
      end
      waits[i] = (tonumber(C.peri_loop_now_ns(rig.ptr.loop)) - from) / 1e6
    end
    assert.is_true(waits[1] >= 25)
    assert.is_true(waits[3] > waits[1])
  end)

  it("strays with the back-off, so that many do not come back at once", function()
    rig = M.rig({ pool = { backoff_min_ms = 400 } })
    local function now_ms()
      return tonumber(C.peri_loop_now_ns(rig.ptr.loop)) / 1e6
    end

    --- How long eight addresses that fail are left alone: the shortest and the longest time.
    local function waits()
      local since, least, most = {}, math.huge, 0
      for _ = 1, 8 do
        local address = dead()
        assert.equal(C.PERI_ECONNECT, rig.fetch("/echo", nil, address)["end"].code)
        since[address] = now_ms()
      end
      while next(since) do
        rig.step(2)
        for address, from in pairs(since) do
          local before = rig.metric("perigee_h2_streams_total", 'listener="client"')
          local call = rig.open("/echo", nil, address)
          -- Only streams that get a connection are counted.
          if rig.metric("perigee_h2_streams_total", 'listener="client"') > before then
            least, most = math.min(least, now_ms() - from), math.max(most, now_ms() - from)
            since[address] = nil
          end
          rig.wait(call)
        end
      end
      return least, most
    end

    -- A machine that is busy when they are due may see all of them at once.
    for _ = 1, 10 do
      local least, most = waits()
      assert.is_true(least >= 300, least)
      if most - least > 20 then
        return
      end
    end
    error("all come back at once, ten times")
  end)

  it("comes back at once after a connection that had worked", function()
    rig = M.rig({ client = { idle_ms = 60 }, pool = { backoff_min_ms = 5000 } })
    rig.listen()
    rig.fetch("/echo")
    assert.is_true(rig.until_true(function()
      return rig.ptr.conn_closes == 1
    end))
    assert.equal(0, rig.fetch("/echo")["end"].code)
    assert.equal(2, rig.ptr.accepted)
  end)

  it("looks a name in use up again, and keeps what it still stands for", function()
    -- The keepalive makes the tick a short one.
    rig = M.rig({ pool = { refresh_ms = 20 }, client = { keepalive_ms = 80 } })
    local port = rig.listen():match("%d+$")
    for _ = 1, 5 do
      assert.equal(0, rig.fetch("/echo", nil, "localhost:" .. port)["end"].code)
      for _ = 1, 5 do
        rig.step(20)
      end
    end
    assert.equal(1, rig.ptr.accepted)
  end)

  it("forgets addresses it has no use for", function()
    rig = M.rig({ pool = { backoff_min_ms = 1, backoff_max_ms = 1 } })
    for _ = 1, 200 do
      assert.equal(C.PERI_ECONNECT, rig.fetch("/echo", nil, dead())["end"].code)
    end
  end)
end)
