local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "h2/body.h", "h2/out.h", "h2/count_shim.h" })

describe("h2/body", function()
  local body, out, count, held
  before_each(function()
    body, out = ffi.new("struct peri_h2_body"), ffi.new("struct peri_out")
    count, held = ffi.new("struct count_owner"), {}
    C.peri_h2_body_init(body)
    assert.equal(0, C.peri_out_init(out))
  end)
  after_each(function()
    C.peri_out_done(out)
    C.peri_h2_body_done(body)
  end)

  --- Queues strings; those in a table are borrowed.
  local function add(...)
    local list = { ... }
    local pieces = ffi.new("struct peri_h2_piece[?]", #list)
    for i, item in ipairs(list) do
      local text = type(item) == "table" and item[1] or item
      held[#held + 1] = text
      pieces[i - 1].bytes.ptr, pieces[i - 1].bytes.len = text, #text
      if type(item) == "table" then
        pieces[i - 1].release, pieces[i - 1].owner = C.count_release, count
      end
    end
    assert.equal(0, C.peri_h2_body_add(body, pieces, #list))
  end

  local function taken()
    local parts = {}
    for i = 0, tonumber(out.count) - 1 do
      local part = out.parts[i]
      parts[#parts + 1] = ffi.string(part.ptr ~= nil and part.ptr or out.scratch + part.offset, part.len)
    end
    return table.concat(parts)
  end

  it("copies small pieces together", function()
    add("abc", "def")
    add("ghi")
    assert.equal(1, body.count)
    C.peri_h2_body_take(body, 4, out)
    C.peri_h2_body_take(body, 5, out)
    assert.equal("abcdefghi", taken())
    assert.equal(0, tonumber(body.bytes))
  end)

  it("copies small borrowed pieces and gives them back at once", function()
    add("abc", { "def" })
    C.peri_h2_body_take(body, 6, out)
    assert.equal("abcdef", taken())
    assert.equal(1, count.released)
    assert.equal(1, tonumber(out.count))
  end)

  it("needs few parts for a frame of many small pieces", function()
    local all = {}
    for i = 1, 4000 do
      local copied, borrowed = ("<%d"):format(i), { ("%d>"):format(i) }
      add(copied, borrowed)
      all[#all + 1] = copied .. borrowed[1]
    end
    all = table.concat(all)
    C.peri_h2_body_take(body, 16384, out)
    assert.is_true(tonumber(out.count) <= C.PERI_OUT_FRAME_PARTS)
    assert.equal(all:sub(1, 16384), taken())
    C.peri_out_clear(out)
    C.peri_h2_body_take(body, 16384, out)
    assert.equal(all:sub(16385, 32768), taken())
  end)

  it("keeps a copied block until all of its pieces are written", function()
    local first, large, last = ("a"):rep(200), ("b"):rep(6000), ("c"):rep(100)
    add(first)
    local between = ("-"):rep(8000)
    add(large, { between }, last)
    C.peri_h2_body_take(body, 200 + 3000, out)
    C.peri_h2_body_take(body, 3000 + 4000, out)
    C.peri_h2_body_take(body, 4000 + 100, out)
    assert.equal(first .. large .. between .. last, taken())
    assert.truthy(out.parts[out.count - 1].release ~= nil)
    assert.equal(0, body.count)
  end)

  it("borrows large pieces until they are written", function()
    add({ ("x"):rep(2048) })
    C.peri_h2_body_take(body, 2048, out)
    assert.equal(0, count.released)
    assert.equal(0, body.count)
    C.peri_out_clear(out)
    assert.equal(1, count.released)
  end)

  it("gives a split piece back only after its last part", function()
    add({ ("x"):rep(4000) .. "yz" })
    C.peri_h2_body_take(body, 4000, out)
    C.peri_h2_body_take(body, 2, out)
    assert.equal(0, count.released)
    assert.equal(("x"):rep(4000) .. "yz", taken())
    C.peri_out_clear(out)
    assert.equal(1, count.released)
  end)

  it("copies a message of a kilobyte into the stream's own room", function()
    add(("m"):rep(1024 + 5))
    C.peri_h2_body_take(body, 1024 + 5, out)
    assert.equal(1, tonumber(out.count))
    assert.is_true(out.parts[0].ptr == nil)
    assert.equal(("m"):rep(1024 + 5), taken())
  end)

  it("keeps copies of any size in order with borrowed pieces", function()
    local big, middle = ("c"):rep(3000), ("b"):rep(1500)
    add("a", big, { middle }, "tail")
    add({ "" }, { "end" })
    local all = "a" .. big .. middle .. "tailend"
    assert.equal(#all, tonumber(body.bytes))
    for _ = 1, #all, 700 do
      C.peri_h2_body_take(body, math.min(700, tonumber(body.bytes)), out)
    end
    assert.equal(all, taken())
    C.peri_out_clear(out)
    assert.equal(3, count.released)
  end)

  it("grows beyond its first room", function()
    local expected = {}
    for i = 1, 40 do
      expected[i] = ("%03d"):format(i):rep(400)
      add({ expected[i] })
      if i % 3 == 0 then
        C.peri_h2_body_take(body, 1000, out)
      end
    end
    C.peri_h2_body_take(body, tonumber(body.bytes), out)
    assert.equal(table.concat(expected), taken())
    C.peri_out_clear(out)
    assert.equal(40, count.released)
  end)

  it("gives everything back when it dies", function()
    add({ "a" }, { ("x"):rep(5000) }, ("y"):rep(5000))
    C.peri_h2_body_take(body, 100, out)
    C.peri_h2_body_done(body)
    assert.equal(2, count.released)
  end)
end)
