local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/load.h", "model/peers.h", "script/handle.h", "script/draw.h" })
local peers = require("spec.core.script.peers_support")

describe("drawing", function()
  local list = peers({ "10.0.0.1:1", "10.0.0.2:1", "10.0.0.3:1", "10.0.0.4:1" }, { 1, 1, 1, 2 })
  local held = ffi.new("struct peri_load[4]")
  local loads = ffi.new("struct peri_load *[4]")
  local handle = ffi.new("struct peri_peers_handle", { peers = list, loads = loads })
  before_each(function()
    for i = 0, 3 do
      held[i].inflight, loads[i] = 0, held + i
    end
    handle.peers, handle.loads = list, loads
  end)
  local held_lists = {} -- A struct does not keep alive what it points to.
  local function from(places)
    local array = places and ffi.new("uint32_t[?]", #places + 1, places)
    held_lists[#held_lists + 1] = array
    return ffi.new("struct peri_draw", { handle = handle, list = array, count = places and #places or 4 })
  end

  it("gives every pair its chance", function()
    local seen, at = {}, ffi.new("size_t[2]")
    for _ = 1, 12000 do
      assert.equal(2, tonumber(C.peri_draw_two(from(), at)))
      local pair = tonumber(at[0]) .. " " .. tonumber(at[1])
      seen[pair] = (seen[pair] or 0) + 1
    end
    for one = 0, 3 do
      for other = 0, 3 do
        local count = seen[one .. " " .. other]
        if one == other then
          assert.is_nil(count)
        else
          assert.near(1000, count, 200)
        end
      end
    end
  end)

  it("draws from a list, and fewer from a short one", function()
    local at = ffi.new("size_t[2]")
    local draw = from({ 1, 3 })
    assert.equal(2, tonumber(C.peri_draw_two(draw, at)))
    assert.equal(4, tonumber(at[0] + at[1]))
    draw = from({ 2 })
    assert.equal(1, tonumber(C.peri_draw_two(draw, at)))
    assert.equal(2, tonumber(at[0]))
    draw = from({})
    assert.equal(0, tonumber(C.peri_draw_two(draw, at)))
  end)

  it("finds the least loaded for its weight", function()
    local at = ffi.new("size_t[1]")
    held[0].inflight, held[1].inflight, held[2].inflight, held[3].inflight = 3, 4, 3, 6
    assert.is_true(C.peri_draw_least(from(), at))
    assert.equal(3, tonumber(at[0]))
    held[2].inflight = 2
    assert.is_true(C.peri_draw_least(from(), at))
    assert.equal(2, tonumber(at[0]))
    local draw = from({ 0, 1 })
    assert.is_true(C.peri_draw_least(draw, at))
    assert.equal(0, tonumber(at[0]))
    draw = from({})
    assert.is_false(C.peri_draw_least(draw, at))
    handle.loads = nil
    assert.is_false(C.peri_draw_least(from(), at))
  end)

  it("shares among equals", function()
    local seen, at = { [0] = 0, 0, 0 }, ffi.new("size_t[1]")
    held[3].inflight = 9
    for _ = 1, 3000 do
      C.peri_draw_least(from({ 0, 1, 2 }), at)
      seen[tonumber(at[0])] = seen[tonumber(at[0])] + 1
    end
    for i = 0, 2 do
      assert.near(1000, seen[i], 200)
    end
  end)
end)
