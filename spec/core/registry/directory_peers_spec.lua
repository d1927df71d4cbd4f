local M = require("spec.core.registry.directory_support")
local C, ffi = M.C, M.ffi

ffi.cdef([[
struct mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost; };
struct mallinfo2 mallinfo2(void);
]])

describe("a directory's peers", function()
  it("are the service's, sorted, with what their records say", function()
    local dir = M.new()
    dir.put("b:1", { weight = 3, zone = "z" })
    dir.put("a:1")
    local peers = dir.peers("b:1")
    assert.equal("shop", ffi.string(C.peri_peers_service(peers)))
    assert.equal(2, tonumber(C.peri_peers_count(peers)))
    local first, second = C.peri_peers_at(peers, 0), C.peri_peers_at(peers, 1)
    assert.equal("a:1", ffi.string(first.address))
    assert.equal(1, first.weight)
    assert.is_true(first.metadata == nil)
    assert.equal("z", ffi.string(second.zone))
    assert.equal(3, second.weight)
    assert.is_true(second.self)
    assert.is_false(second.metadata == nil)
    assert.equal(1, C.peri_peers_self(peers))
  end)

  it("outlive the directory and its changes", function()
    local dir = M.new()
    dir.put("a:1", { zone = "z" })
    local peers = dir.peers()
    dir.put("a:1", { zone = "y" })
    dir.delete("a:1")
    C.peri_directory_free(ffi.gc(dir.ptr, nil))
    assert.equal("z", ffi.string(C.peri_peers_at(peers, 0).zone))
  end)

  it("are none of nothing", function()
    local dir = M.new()
    assert.equal("", dir.shown())
    assert.is_nil(dir.tick())
    assert.equal(0, dir.newest())
    C.peri_directory_free(nil)
  end)

  it("cost little time and memory for ten thousand endpoints", function()
    local dir, values = M.new(), {}
    for i = 1, 10000 do
      local address = ("10.0.%d.%d:7402"):format(math.floor(i / 256), i % 256)
      values[i] = { address, M.value(address, { weight = 1 + i % 9, zone = "zone-" .. i % 3 }) }
    end
    local function used()
      local info = ffi.C.mallinfo2()
      return tonumber(info.uordblks + info.hblkhd)
    end
    collectgarbage()
    local before, started = used(), os.clock()
    C.peri_directory_load_begin(dir.ptr, false)
    for _, value in ipairs(values) do
      assert.equal(0, (dir.put_raw(value[1], value[2])))
    end
    C.peri_directory_load_end(dir.ptr, dir.revision, dir.now)
    local peers = dir.peers()
    local sync = os.clock() - started
    local older = dir.peers()
    local each = (used() - before) / 10000
    started = os.clock()
    dir.put(values[5000][1], { weight = 77 })
    local again = dir.peers()
    local one = os.clock() - started
    assert.equal(10000, tonumber(C.peri_peers_count(again)))
    assert.is_false(C.peri_peers_equal(peers, again))
    assert.is_true(C.peri_peers_equal(peers, older))
    if os.getenv("PERI_SHOW") then
      print(("sync %.1f ms, one change %.1f ms, %d bytes an endpoint"):format(sync * 1e3, one * 1e3, each))
    end
    -- Sanitizers count their own memory, and are slow.
    if not os.getenv("PERI_KIND") then
      assert.is_true(each < 2048, each)
      assert.is_true(sync < 0.5, sync)
      assert.is_true(one < 0.05, one)
    end
  end)
end)
