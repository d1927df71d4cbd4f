local M = require("spec.core.loop.probe")
local C = M.C

local HOUR_MS = 3600 * 1000

local function shell(...)
  assert(os.execute(string.format(...)) == 0)
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

describe("loop/watch", function()
  local loop, dir, path
  before_each(function()
    loop = M.loop()
    dir = os.tmpname()
    os.remove(dir)
    shell("mkdir %s", dir)
    path = dir .. "/file"
    write(path, "one")
  end)
  after_each(function()
    loop.free()
    shell("rm -rf %s", dir)
  end)

  local function new(every_ms, probe, what)
    return loop.make("peri_watch", C.peri_watch_new, what or path, every_ms, C.peri_probe_fire, probe)
  end

  local function called(probe, times)
    return loop.step_until(function()
      return probe.calls >= times
    end)
  end

  it("notices writing, replacing, removing and return through notifications", function()
    local probe = loop.probe()
    local watch = new(HOUR_MS, probe)
    write(path, "longer than before")
    assert.is_true(called(probe, 1))
    write(dir .. "/new", "replacement")
    shell("mv %s/new %s", dir, path)
    local seen = probe.calls
    assert.is_true(called(probe, seen + 1))
    os.remove(path)
    seen = probe.calls
    assert.is_true(called(probe, seen + 1))
    write(path, "back")
    seen = probe.calls
    assert.is_true(called(probe, seen + 1))
    -- It may be readable only now.
    shell("chmod 400 %s", path)
    seen = probe.calls
    assert.is_true(called(probe, seen + 1))
    C.peri_watch_free(watch)
  end)

  it("looks by itself where there is no folder to be notified of", function()
    local probe = loop.probe()
    local watch = new(5, probe, dir .. "/later/file")
    shell("mkdir %s/later", dir)
    write(dir .. "/later/file", "here")
    assert.is_true(called(probe, 1))
    C.peri_watch_free(watch)
  end)

  it("keeps quiet while only other files change", function()
    local probe, other = loop.probe(), loop.probe()
    local watch, second = new(5, probe), new(HOUR_MS, other, dir .. "/other")
    write(dir .. "/other", "new")
    assert.is_true(called(other, 1))
    for _ = 1, 5 do
      C.peri_loop_step(loop.ptr, 10)
    end
    assert.equal(0, probe.calls)
    C.peri_watch_free(watch)
    C.peri_watch_free(second)
  end)

  it("does not keep the loop alive", function()
    local watch = new(HOUR_MS, loop.probe())
    C.peri_loop_run(loop.ptr)
    C.peri_watch_free(watch)
    C.peri_watch_free(nil)
  end)

  it("can be freed in its own callback, and while it looks", function()
    local probe = loop.probe({ name = "w", action = C.PERI_PROBE_FREE_WATCH })
    probe.target = new(HOUR_MS, probe)
    write(path, "longer than before")
    assert.is_true(called(probe, 1))

    local never = loop.probe()
    local watch = new(1, never)
    write(path, "short")
    C.peri_loop_step(loop.ptr, 0)
    local seen = never.calls
    C.peri_watch_free(watch)
    C.peri_loop_run(loop.ptr)
    assert.equal(seen, never.calls)
  end)
end)
