local M = require("spec.core.registry.directory_support")
local cffi = require("spec.support.ffi")
local C, ffi = M.C, M.ffi

describe("a directory's keys", function()
  local dir
  before_each(function()
    dir = M.new()
  end)

  it("are those below its prefix", function()
    local problem = ffi.new("struct peri_problem")
    for _, key in ipairs({ "/p/shop", "/p/shopping/a:1", "/q/shop/a:1", "", "/p/shop\0/a:1" }) do
      local value = cffi.slice(M.value("a:1"))
      assert.equal(0, C.peri_directory_put(dir.ptr, cffi.slice(key), value, 5, 1, 0, problem))
      assert.equal(0, C.peri_directory_delete(dir.ptr, cffi.slice(key), 6, 0))
    end
    assert.equal(0, dir.keys())
    assert.equal("", dir.shown())
    dir.put("a:1", { key = "any/thing" })
    dir.put("b:1", { key = "" })
    dir.put("c:1", { key = "\0\255" })
    dir.put("d:1", { key = ("k"):rep(4096) })
    assert.equal(4, dir.keys())
    assert.equal("a:1 b:1 c:1 d:1", dir.shown())
  end)

  it("are put, changed and deleted", function()
    assert.is_false(dir.changed())
    dir.put("a:1")
    assert.is_true(dir.changed())
    assert.equal("a:1", dir.shown())
    assert.is_false(dir.changed())
    dir.put("a:1", { weight = 5 })
    assert.is_true(dir.changed())
    assert.equal(5, C.peri_peers_at(dir.peers(), 0).weight)
    dir.put("b:2", { key = "a:1" })
    assert.equal("b:2", dir.shown())
    dir.delete("a:1")
    assert.is_true(dir.changed())
    assert.equal("", dir.shown())
    assert.equal(0, dir.keys())
  end)

  it("have a lease and a revision", function()
    assert.is_nil(dir.find("a:1"))
    dir.put_raw("a:1", M.value("a:1"), 21, 77)
    assert.same({ 77, 21 }, { dir.find("a:1") })
    dir.put_raw("a:1", M.value("a:1"), 22, 78)
    assert.same({ 78, 22 }, { dir.find("a:1") })
    dir.put_raw("b:1", "bad", 23, 0)
    assert.same({ 0, 23 }, { dir.find("b:1") })
    assert.equal(23, dir.newest())
    dir.delete("b:1", 24)
    assert.is_nil(dir.find("b:1"))
    assert.equal(22, dir.newest())
    assert.is_false(C.peri_directory_find(dir.ptr, cffi.slice("elsewhere"), nil, nil))
  end)

  it("change nothing when they say the same again", function()
    dir.put("a:1")
    dir.shown()
    dir.put("a:1")
    assert.is_false(dir.changed())
    assert.equal(dir.revision, dir.newest())
  end)

  it("ignore what is not newer", function()
    dir.put("a:1", nil, 20)
    dir.put("b:1", { key = "a:1" }, 20)
    dir.put("b:1", { key = "a:1" }, 19)
    dir.delete("a:1", 20)
    dir.delete("a:1", 3)
    assert.equal("a:1", dir.shown())
    dir.delete("a:1", 30)
    dir.put("a:1", nil, 29)
    dir.put("a:1", nil, 30)
    assert.equal("", dir.shown())
    -- Also once the deletion itself is forgotten.
    dir.wait(10)
    dir.tick()
    dir.put("a:1", nil, 29)
    assert.equal("", dir.shown())
    dir.put("b:1", nil, 30)
    dir.put("a:1", nil, 31)
    assert.equal("a:1 b:1", dir.shown())
    dir.delete("nobody", 50)
    dir.put("nobody:1", nil, 49)
    assert.equal("a:1 b:1", dir.shown())
  end)

  it("may name one address; the newest counts", function()
    dir.put("a:1", { key = "one", weight = 1 })
    dir.put("a:1", { key = "two", weight = 2 })
    assert.equal(2, C.peri_peers_at(dir.peers(), 0).weight)
    dir.put("a:1", { key = "one", weight = 1 })
    assert.is_true(dir.changed())
    assert.equal(1, C.peri_peers_at(dir.peers(), 0).weight)
    dir.delete("one")
    assert.is_true(dir.changed())
    assert.equal(2, C.peri_peers_at(dir.peers(), 0).weight)
    assert.equal("a:1", dir.shown())
    dir.put("b:1", { key = "two" })
    assert.equal("b:1", dir.shown())
  end)

  it("drop one endpoint with a bad record, and say so", function()
    dir.put("a:1")
    dir.put("b:1")
    local rc, words = dir.put_raw("a:1", '{"Addr":"nowhere"}')
    assert.equal(C.PERI_EINVAL, rc)
    assert.matches('key "/p/shop/a:1": ', words, 1, true)
    assert.matches("Addr", words, 1, true)
    assert.equal("b:1", dir.shown())
    assert.equal(2, dir.keys())
    assert.equal(1, dir.invalid())
    dir.put("a:1")
    assert.equal("a:1 b:1", dir.shown())
    assert.equal(0, dir.invalid())
    dir.put_raw("a:1", "")
    dir.put_raw("a:1", ("x"):rep(70000))
    assert.equal(1, dir.invalid())
    dir.delete("a:1")
    assert.equal(0, dir.invalid())
    assert.equal(1, dir.keys())
    assert.equal("", dir.suspects())
  end)

  it("are shown in words only as far as they can be", function()
    local _, words = dir.put_raw("\1\255" .. ("k"):rep(4096), "bad")
    assert.matches("/p/shop/%?%?kkk", words)
    assert.matches('k..." ', (words:gsub(":", " ")), 1, true)
    assert.is_true(#words < 400)
    local value = cffi.slice("bad")
    assert.equal(C.PERI_EINVAL, C.peri_directory_put(dir.ptr, cffi.slice("/p/shop/x"), value, 99, 1, 0, nil))
  end)
end)

describe("a directory's whole reading", function()
  local dir
  before_each(function()
    dir = M.new()
    dir.load({ "a:1", "b:1", "c:1", "d:1", "e:1" })
    dir.wait(10)
  end)

  it("deletes what it did not have", function()
    dir.load({ "b:1", "c:1", "d:1", "e:1", "f:1" })
    assert.equal("b:1 c:1 d:1 e:1 f:1", dir.shown())
    dir.load({ "b:1", "c:1", "d:1", "e:1", "f:1" })
    assert.is_false(dir.changed())
  end)

  it("holds what vanishes at once", function()
    dir.load({ "a:1", "b:1" })
    assert.equal("a:1 b:1 c:1? d:1? e:1?", dir.shown())
    assert.equal(2, dir.keys())
  end)

  it("is never half done to those who look", function()
    C.peri_directory_load_begin(dir.ptr, false)
    assert.equal("a:1 b:1 c:1 d:1 e:1", dir.shown())
    dir.put("f:1")
    assert.equal("a:1 b:1 c:1 d:1 e:1 f:1", dir.shown())
    assert.equal(0, C.peri_directory_load_end(dir.ptr, dir.revision, dir.now))
    assert.equal("a:1? b:1? c:1? d:1? e:1? f:1", dir.shown())
  end)

  it("keeps what was put after it", function()
    C.peri_directory_load_begin(dir.ptr, false)
    dir.put("a:1")
    assert.equal(0, C.peri_directory_load_end(dir.ptr, 10, dir.now))
    assert.equal("a:1 b:1 c:1 d:1 e:1", dir.shown())
  end)

  it("can be given up", function()
    C.peri_directory_load_begin(dir.ptr, true)
    dir.put("a:1", nil, 3)
    C.peri_directory_load_abort(dir.ptr)
    assert.equal("a:1 b:1 c:1 d:1 e:1", dir.shown())
    assert.equal(C.PERI_EINVAL, C.peri_directory_load_end(dir.ptr, 99, dir.now))
    dir.load({ "b:1", "c:1", "d:1", "e:1" })
    assert.equal("b:1 c:1 d:1 e:1", dir.shown())
  end)

  it("finds what was missed", function()
    dir.delete("a:1")
    dir.wait(5)
    dir.tick()
    C.peri_directory_load_begin(dir.ptr, false)
    for i, address in ipairs({ "b:1", "c:1", "d:1", "e:1", "lost:1" }) do
      dir.put(address, nil, 5 + i)
    end
    assert.equal(0, C.peri_directory_load_end(dir.ptr, dir.revision, dir.now))
    assert.equal("b:1 c:1 d:1 e:1 lost:1", dir.shown())
  end)

  it("keeps bad records known, and reports them once", function()
    assert.equal(C.PERI_EINVAL, (dir.put_raw("a:1", "bad", 50)))
    C.peri_directory_load_begin(dir.ptr, false)
    assert.equal(0, (dir.put_raw("a:1", "bad", 50)))
    for _, address in ipairs({ "b:1", "c:1", "d:1", "e:1" }) do
      dir.put(address)
    end
    assert.equal(0, C.peri_directory_load_end(dir.ptr, 60, dir.now))
    assert.equal(5, dir.keys())
    assert.equal(1, dir.invalid())
    assert.equal("b:1 c:1 d:1 e:1", dir.shown())
  end)
end)

--- The same rules written down once more, plainly: what is alive by key.
local function model()
  local self = { keys = {} }
  function self.addresses()
    local set, list = {}, {}
    for _, known in pairs(self.keys) do
      if known.address then
        set[known.address] = true
      end
    end
    for address in pairs(set) do
      list[#list + 1] = address
    end
    table.sort(list)
    return table.concat(list, " ")
  end
  return self
end

describe("a directory under random operations", function()
  local function live(dir)
    return (dir.shown():gsub("%S+%?", ""):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", ""))
  end

  local function run(seed)
    math.randomseed(seed)
    local dir, plain, revision = M.new(math.random(1, 30) * 1000), model(), 10
    local function random_key()
      return "k" .. math.random(8)
    end
    local function put(key)
      if math.random(8) == 1 then
        assert.equal(C.PERI_EINVAL, (dir.put_raw(key, "bad", revision)))
        plain.keys[key] = { mod = revision }
      else
        local address = "h" .. math.random(8) .. ":1"
        dir.put(address, { key = key, weight = math.random(3) }, revision)
        plain.keys[key] = { mod = revision, address = address }
      end
    end
    local function reload(regressed)
      revision = regressed and math.random(1, 5) or revision + 1
      C.peri_directory_load_begin(dir.ptr, regressed)
      local before = plain.keys
      plain.keys = {}
      for key, known in pairs(before) do
        if math.random(4) > 1 then
          if regressed or not known.address or math.random(2) == 1 then
            put(key)
          else
            dir.put(known.address, { key = key }, known.mod)
            plain.keys[key] = known
          end
        end
      end
      if math.random(10) == 1 then
        C.peri_directory_load_abort(dir.ptr)
        for key, known in pairs(before) do
          plain.keys[key] = plain.keys[key] or known
        end
        if regressed then
          return reload(true)
        end
      else
        assert.equal(0, C.peri_directory_load_end(dir.ptr, revision, dir.now))
      end
    end
    for _ = 1, 300 do
      local choice, key = math.random(20), random_key()
      revision = revision + 1
      dir.wait(math.random(0, 1500) / 1000)
      if choice <= 8 then
        put(key)
      elseif choice <= 13 then
        dir.delete(key, revision)
        plain.keys[key] = nil
      elseif choice == 14 then
        reload(false)
      elseif choice == 15 then
        reload(true)
      elseif choice == 16 then
        dir.refute("h" .. math.random(8) .. ":1")
      elseif choice == 17 then
        local known = plain.keys[key]
        if known then
          dir.put_raw(key, M.value("stale:1"), known.mod)
          dir.delete(key, known.mod)
        end
      else
        dir.tick()
      end
      assert.equal(plain.addresses(), live(dir))
      local count, newest, bad = 0, 0, 0
      for _, known in pairs(plain.keys) do
        count, newest = count + 1, math.max(newest, known.mod)
        bad = bad + (known.address and 0 or 1)
      end
      assert.equal(count, dir.keys())
      assert.equal(newest, dir.newest())
      assert.equal(bad, dir.invalid())
    end
    dir.wait(100)
    dir.tick()
    dir.tick()
    assert.equal("", dir.suspects())
    assert.equal(plain.addresses(), dir.shown())
    assert.is_nil(dir.tick())
  end

  it("agrees with a plain model", function()
    for seed = 1, 150 do
      run(seed)
    end
  end)
end)
