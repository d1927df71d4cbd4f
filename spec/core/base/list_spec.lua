local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/list.h", "base/list_shim.h" })

describe("base/list", function()
  local head, other, items

  before_each(function()
    head = ffi.new("struct peri_list")
    other = ffi.new("struct peri_list")
    items = ffi.new("struct shim_item[6]")
    C.shim_list_init(head)
    C.shim_list_init(other)
    for i = 1, 5 do
      items[i].number = i
      C.shim_list_init(items[i].link)
    end
  end)

  it("starts empty", function()
    assert.is_true(C.shim_list_empty(head))
    assert.equal(0, C.shim_list_digits(head))
  end)

  it("keeps the order of pushes, and finds the holder of a node", function()
    for i = 1, 3 do
      C.shim_list_push(head, items[i])
    end
    assert.is_false(C.shim_list_empty(head))
    assert.equal(123, C.shim_list_digits(head))
  end)

  it("removes from anywhere, twice without harm", function()
    for i = 1, 4 do
      C.shim_list_push(head, items[i])
    end
    C.shim_list_remove(items[2])
    C.shim_list_remove(items[2])
    assert.equal(134, C.shim_list_digits(head))
    C.shim_list_remove(items[4])
    C.shim_list_remove(items[1])
    assert.equal(3, C.shim_list_digits(head))
    C.shim_list_remove(items[3])
    assert.is_true(C.shim_list_empty(head))
    C.shim_list_push(head, items[2])
    assert.equal(2, C.shim_list_digits(head))
  end)

  it("pops from the front, and nothing from an empty list", function()
    assert.equal(-1, C.shim_list_pop(head))
    for i = 1, 3 do
      C.shim_list_push(head, items[i])
    end
    assert.equal(1, C.shim_list_pop(head))
    assert.equal(23, C.shim_list_digits(head))
    C.shim_list_push(head, items[1])
    assert.equal(2, C.shim_list_pop(head))
    assert.equal(3, C.shim_list_pop(head))
    assert.equal(1, C.shim_list_pop(head))
    assert.is_true(C.shim_list_empty(head))
    assert.equal(-1, C.shim_list_pop(head))
    C.shim_list_push(head, items[2])
    assert.equal(2, C.shim_list_digits(head))
  end)

  it("splices one list behind another", function()
    C.shim_list_push(head, items[1])
    C.shim_list_push(other, items[2])
    C.shim_list_push(other, items[3])
    C.shim_list_splice(head, other)
    assert.equal(123, C.shim_list_digits(head))
    assert.is_true(C.shim_list_empty(other))
    C.shim_list_splice(head, other)
    assert.equal(123, C.shim_list_digits(head))
    C.shim_list_splice(other, head)
    assert.equal(123, C.shim_list_digits(other))
    assert.is_true(C.shim_list_empty(head))
  end)
end)
