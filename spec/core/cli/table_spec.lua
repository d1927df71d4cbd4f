local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/table.h" })

describe("a table", function()
  local table, text
  before_each(function()
    table, text = ffi.new("struct peri_cli_table", { columns = 3 }), ffi.new("struct peri_buffer")
  end)
  after_each(function()
    C.peri_buffer_done(text)
  end)

  local function row(...)
    for _, cell in ipairs({ ... }) do
      C.peri_cli_table_put(table, cffi.slice(cell), 20)
      C.peri_cli_table_next(table)
    end
  end

  local function shown()
    assert.equal(0, C.peri_cli_table_end(table, text))
    return cffi.string(C.peri_buffer_slice(text))
  end

  it("is as wide as its widest cells, but for the last one", function()
    C.peri_cli_table_titles(table, ffi.new("const char *[3]", { "A", "LONGER", "C" }))
    row("longer", "b", "c")
    row("", "x", "the last is as it is")
    assert.equal("A       LONGER  C\nlonger  b       c\n        x       the last is as it is\n", shown())
  end)

  it("takes a cell in parts, and cuts bytes of others", function()
    C.peri_cli_table_put(table, cffi.slice("orders"), 20)
    C.peri_cli_table_add(table, " v%u", ffi.cast("unsigned", 3))
    C.peri_cli_table_next(table)
    row(("x"):rep(30), "c")
    assert.equal("orders v3  " .. ("x"):rep(20) .. "  c\n", shown())
  end)

  it("lets nothing drive a terminal, nor break a row", function()
    row("a\27[31m", "b\nc", "d\0e")
    assert.equal("a?[31m  b c  d?e\n", shown())
  end)

  it("is nothing without a row, and empty once it is written", function()
    assert.equal("", shown())
    row("a", "b", "c")
    assert.equal("a  b  c\n", shown())
    assert.equal("a  b  c\n", shown())
  end)
end)
