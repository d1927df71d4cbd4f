local M = require("spec.core.loop.probe")
local C, ffi = M.C, M.ffi

local HOUR_MS = 3600 * 1000
local patience = tonumber(os.getenv("PERI_PATIENCE") or "1")

local function shell(...)
  assert(os.execute(string.format(...)) == 0)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("loop/tree", function()
  local loop, dir, watch, probe
  before_each(function()
    loop = M.loop()
    dir = os.tmpname()
    os.remove(dir)
    shell("mkdir -p %s/balancer", dir)
    write(dir .. "/balancer/a.lua", "one")
    probe = loop.probe()
  end)
  after_each(function()
    C.peri_tree_watch_free(watch)
    watch = nil
    loop.free()
    shell("rm -rf %s", dir)
  end)

  local function new(every_ms, fields, folder)
    local options = ffi.new("struct peri_tree_options", fields or {})
    local folders = ffi.new("const char *[1]", { folder or dir })
    options.folders, options.folder_count = folders, 1
    options.ending, options.every_ms = ".lua", every_ms
    watch = loop.make("peri_tree_watch", C.peri_tree_watch_new, options, C.peri_probe_fire, probe)
    return watch
  end

  --- Whether a change is told after `change`.
  local function told(change)
    local seen = probe.calls
    change()
    local started = C.peri_loop_now_ns(loop.ptr)
    while probe.calls == seen and C.peri_loop_now_ns(loop.ptr) - started < 30e9 * patience do
      C.peri_loop_step(loop.ptr, 10)
    end
    return probe.calls > seen
  end

  --- Runs the loop until what happened so far has been told.
  local function settle()
    local still, seen = 0, probe.calls
    while still < 20 do
      C.peri_loop_step(loop.ptr, 10)
      still = probe.calls == seen and still + 1 or 0
      seen = probe.calls
    end
  end

  -- Notifications must do alone; looking often besides must not spoil it.
  for way, every_ms in pairs({ notified = HOUR_MS, looking = 5 }) do
    it("notices each way to save: " .. way, function()
      local path = dir .. "/balancer/a.lua"
      new(every_ms, { quiet_ms = 5 })
      for _, change in ipairs({
        function()
          write(path, "written in place")
        end,
        function()
          write(dir .. "/balancer/.a.lua.new", "renamed over it")
          shell("mv %s/balancer/.a.lua.new %s", dir, path)
        end,
        function()
          shell("mv %s %s~ && cp %s~ %s", path, path, path, path)
        end,
        function()
          os.remove(path)
        end,
        function()
          write(path, "here again")
        end,
      }) do
        assert.is_true(told(change))
        settle()
      end
    end)

    it("notices links that lead elsewhere: " .. way, function()
      shell("cd %s && mkdir ..one ..two && cp balancer/a.lua ..one && cp balancer/a.lua ..two", dir)
      shell("cd %s && rm -r balancer && ln -s ..one ..data && ln -s ..data balancer", dir)
      new(every_ms, { quiet_ms = 5 })
      assert.is_true(told(function()
        shell("cd %s && ln -s ..two ..tmp && mv -T ..tmp ..data && rm -r ..one", dir)
      end))
      settle()
      assert.is_true(told(function()
        write(dir .. "/..two/a.lua", "through the link")
      end))
    end)

    it("notices folders that come and go: " .. way, function()
      new(every_ms, { quiet_ms = 5 })
      assert.is_true(told(function()
        shell("mkdir -p %s/picker/deep && echo 1 > %s/picker/deep/b.lua", dir, dir)
      end))
      settle()
      assert.is_true(told(function()
        write(dir .. "/picker/deep/b.lua", "in a folder that came later")
      end))
      settle()
      assert.is_true(told(function()
        shell("mv %s/picker %s/.old && cp -r %s/.old %s/picker", dir, dir, dir, dir)
      end))
      settle()
      assert.is_true(told(function()
        write(dir .. "/picker/deep/b.lua", "in a folder that took its place")
      end))
      settle()
      assert.is_true(told(function()
        shell("rm -r %s/picker", dir)
      end))
    end)
  end

  it("finds a folder that is made later, and one that comes back", function()
    new(5, { quiet_ms = 5 }, dir .. "/later")
    for _ = 1, 2 do
      assert.is_true(told(function()
        shell("mkdir %s/later && echo 1 > %s/later/a.lua", dir, dir)
      end))
      settle()
      assert.is_true(told(function()
        shell("rm -r %s/later", dir)
      end))
      settle()
    end
  end)

  it("tells what was written as it was, since times are coarse", function()
    new(HOUR_MS, { quiet_ms = 5 })
    for _ = 1, 3 do
      assert.is_true(told(function()
        write(dir .. "/balancer/a.lua", "one")
      end))
      settle()
    end
  end)

  it("keeps quiet about names that do not count", function()
    local other = probe
    new(HOUR_MS, { quiet_ms = 1 })
    write(dir .. "/balancer/.a.lua.swp", "x")
    write(dir .. "/balancer/a.lua~", "x")
    write(dir .. "/log", "x")
    settle()
    assert.equal(0, other.calls)
  end)

  it("tells a storm once it is over, or after so long", function()
    new(HOUR_MS, { quiet_ms = HOUR_MS, most_ms = 50 })
    assert.is_true(told(function()
      for i = 1, 100 do
        write(dir .. "/balancer/a.lua", ("x"):rep(i))
      end
    end))
    -- However unsteady the machine is, a hundred changes are not told one by one.
    settle()
    assert.is_true(probe.calls <= 3, tostring(probe.calls))
  end)

  it("waits for a rest", function()
    new(HOUR_MS, { quiet_ms = HOUR_MS, most_ms = HOUR_MS })
    write(dir .. "/balancer/a.lua", "changed")
    settle()
    assert.equal(0, probe.calls)
  end)

  it("does not keep the loop alive", function()
    new(HOUR_MS)
    write(dir .. "/balancer/a.lua", "changed")
    C.peri_loop_run(loop.ptr)
  end)

  it("can be freed in its own callback, and while it looks", function()
    new(HOUR_MS, { quiet_ms = 1 })
    probe.action, probe.target = C.PERI_PROBE_FREE_TREE, watch
    watch = nil
    assert.is_true(told(function()
      write(dir .. "/balancer/a.lua", "changed")
    end))

    local never = loop.probe()
    probe = never
    new(1)
    for i = 1, 5 do
      write(dir .. "/balancer/a.lua", ("x"):rep(i))
      C.peri_loop_step(loop.ptr, 1)
    end
    C.peri_tree_watch_free(watch)
    watch = nil
    C.peri_loop_run(loop.ptr)
    assert.equal(0, never.calls)
    C.peri_tree_watch_free(nil)
  end)
end)
