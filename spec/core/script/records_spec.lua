local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "script/records.h" })

local EINVAL = tonumber(C.PERI_EINVAL)

describe("script/records", function()
  local made

  local function make(text, rows, fields)
    local query, problem = ffi.new("struct peri_records_query"), ffi.new("struct peri_problem")
    local names = ffi.new("const char *[?]", #fields + 1, fields)
    query.rows, query.fields, query.field_count = rows, names, #fields
    local ret = ffi.new("struct peri_records *[1]")
    local code = C.peri_records_new(cffi.slice(text), query, ret, problem)
    made = code == 0 and ret[0] or nil
    return code, ffi.string(problem.text)
  end

  local function find(key)
    local row = ffi.new("struct peri_slice")
    return C.peri_records_find(made, cffi.slice(key), row) and ffi.string(row.ptr, row.len) or nil
  end

  after_each(function()
    C.peri_records_free(made)
    made = nil
  end)

  it("finds rows by the values of fields, texts and numbers", function()
    local text = '{"a":{"b":[{"id":1,"as":"one"},{"id":"two","as":1.5},{"id":null,"as":["x"]},7]}}'
    assert.equal(0, (make(text, "a.b", { "id", "as" })))
    assert.equal('{"id":1,"as":"one"}', find("1"))
    assert.equal(find("1"), find("one"))
    assert.equal('{"id":"two","as":1.5}', find("two"))
    assert.equal(find("two"), find("1.5"))
    assert.is_nil(find("x"))
    assert.is_nil(find(""))
    assert.equal(4, tonumber(C.peri_records_count(made)))
  end)

  it("finds rows by their own names, or numbers in a list", function()
    assert.equal(0, (make('{"k":{"x":1},"l":"text","m":[],"n":null}', "", {})))
    assert.same({ '{"x":1}', '"text"', "[]", "null" }, { find("k"), find("l"), find("m"), find("n") })
    C.peri_records_free(made)
    assert.equal(0, (make('["x",{"y":2}]', "", {})))
    assert.same({ '"x"', '{"y":2}' }, { find("1"), find("2") })
    assert.is_nil(find("0"))
    assert.is_nil(find("3"))
  end)

  it("lets the later of two rows count", function()
    assert.equal(0, (make('[{"id":"a","n":1},{"id":"a","n":2}]', "", { "id" })))
    assert.equal('{"id":"a","n":2}', find("a"))
    assert.equal(1, tonumber(C.peri_records_count(made)))
  end)

  it("has nothing of an empty document", function()
    assert.equal(0, (make("[]", "", { "id" })))
    assert.is_nil(find("a"))
    assert.equal(0, tonumber(C.peri_records_count(made)))
  end)

  it("says what is no document, and where no rows are", function()
    local code, words = make('{"a":', "", {})
    assert.equal(EINVAL, code)
    assert.matches("line 1", words, 1, true)
    for _, path in ipairs({ "b", "a.b", "a.b.c", ("x"):rep(300) }) do
      code, words = make('{"a":{"b":5}}', path, {})
      assert.equal(EINVAL, code)
      assert.matches(("no rows at %q"):format(path):sub(1, 200), words, 1, true)
    end
    assert.equal(EINVAL, (make("5", "", {})))
  end)

  it("finds each of very many, and says what they take", function()
    local rows = {}
    for i = 1, 20000 do
      rows[i] = ('{"id":"k%d","n":%d}'):format(i, i)
    end
    local text = "[" .. table.concat(rows, ",") .. "]"
    assert.equal(0, (make(text, "", { "id", "n" })))
    for i = 1, 20000, 37 do
      assert.equal(rows[i], find("k" .. i))
      assert.equal(rows[i], find(tostring(i)))
    end
    assert.equal(40000, tonumber(C.peri_records_count(made)))
    local bytes = tonumber(C.peri_records_bytes(made))
    assert.is_true(bytes > #text and bytes < #text * 8, bytes)
  end)
end)
