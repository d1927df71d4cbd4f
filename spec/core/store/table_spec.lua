local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "store/table.h" })

ffi.cdef("struct spec_node { struct peri_node node; char key[16]; };")

describe("store/table", function()
  local tbl, nodes
  before_each(function()
    tbl = ffi.new("struct peri_table")
    tbl.key_offset = ffi.offsetof("struct spec_node", "key")
    nodes = {}
  end)
  after_each(function()
    C.peri_table_done(tbl)
  end)

  local function hash_of(i, hash)
    return hash or (i * 2654435761) % 2 ^ 32
  end

  local function insert(i, hash)
    local node = ffi.new("struct spec_node")
    local key = "key" .. i
    node.node.hash, node.node.key_len = hash_of(i, hash), #key
    ffi.copy(node.key, key, #key)
    nodes[i] = node
    assert.equal(0, C.peri_table_insert(tbl, node.node))
  end

  local function found(i, hash)
    local node = C.peri_table_find(tbl, cffi.slice("key" .. i), hash_of(i, hash))
    return node ~= nil and node == ffi.cast("struct peri_node *", nodes[i])
  end

  local function count_all()
    local seen = 0
    for bucket = 0, tonumber(tbl.buckets) - 1 do
      local node = C.peri_table_bucket(tbl, bucket)
      while node ~= nil do
        seen = seen + 1
        node = node.chain
      end
    end
    return seen
  end

  it("finds nothing in an empty table", function()
    assert.is_true(C.peri_table_find(tbl, cffi.slice("x"), 5) == nil)
  end)

  it("finds all while it grows and shrinks bucket by bucket", function()
    local last = 0
    for i = 1, 5000 do
      insert(i)
      local buckets = tonumber(tbl.buckets)
      assert.is_true(i <= 16 or buckets - last <= 1)
      last = buckets
    end
    assert.equal(5000, last)
    for i = 1, 5000 do
      assert.is_true(found(i), i)
    end
    assert.equal(5000, count_all())
    for i = 1, 5000, 2 do
      C.peri_table_remove(tbl, nodes[i].node)
    end
    for i = 1, 5000 do
      assert.equal(i % 2 == 0, found(i), i)
    end
    for i = 2, 4998, 2 do
      C.peri_table_remove(tbl, nodes[i].node)
    end
    assert.is_true(found(5000))
    assert.equal(1, count_all())
    assert.equal(16, tonumber(tbl.buckets))
    assert.is_true(tonumber(tbl.segment_count) <= 2)
  end)

  it("tells keys with the same hash apart", function()
    for i = 1, 50 do
      insert(i, 7)
    end
    for i = 1, 50 do
      assert.is_true(found(i, 7), i)
    end
    assert.is_true(C.peri_table_find(tbl, cffi.slice("key51"), 7) == nil)
    C.peri_table_remove(tbl, nodes[25].node)
    assert.is_false(found(25, 7))
    assert.is_true(found(24, 7) and found(26, 7))
  end)

  it("stays right under random coming and going", function()
    math.randomseed(3)
    local here = {}
    for _ = 1, 20000 do
      local i = math.random(1, 900)
      if here[i] then
        C.peri_table_remove(tbl, nodes[i].node)
        here[i] = nil
      else
        insert(i)
        here[i] = true
      end
    end
    local held = 0
    for i = 1, 900 do
      assert.equal(here[i] == true, nodes[i] ~= nil and found(i))
      held = held + (here[i] and 1 or 0)
    end
    assert.equal(held, tonumber(tbl.count))
    assert.equal(held, count_all())
  end)
end)
