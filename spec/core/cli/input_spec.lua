local proc = require("spec.support.proc")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/input.h" })

describe("input", function()
  local function split(text)
    local left, parts = cffi.slice(text), {}
    left = ffi.new("struct peri_slice", left)
    while true do
      local part = C.peri_cli_next_json(left)
      if part.len == 0 then
        return parts
      end
      parts[#parts + 1] = ffi.string(part.ptr, part.len)
    end
  end

  it("is cut into JSON values", function()
    assert.same({ "{}", '{"a":"}{"}', "[1,[2]]", "12", "true", '"x \\" y"', "{}" }, split(' {}{"a":"}{"}\n[1,[2]] 12 true "x \\" y"{} '))
    assert.same({}, split(" \n"))
    assert.same({ '{"a' }, split('{"a'))
    assert.same({ "}" }, split("}"))
  end)

  it("comes from a file, or tells why not", function()
    local folder = proc.folder()
    local text = ("x\0y"):rep(50000)
    proc.write(folder .. "/in", text)
    local buffer, problem = ffi.new("struct peri_buffer"), ffi.new("struct peri_problem")
    assert.equal(0, C.peri_cli_read(folder .. "/in", buffer, problem))
    assert.equal(text, ffi.string(buffer.ptr, buffer.len))
    C.peri_buffer_done(buffer)
    assert.equal(C.PERI_EIO, C.peri_cli_read(folder .. "/none", buffer, problem))
    assert.truthy(ffi.string(problem.text):find("/none", 1, true))
    C.peri_buffer_done(buffer)
    proc.remove(folder)
  end)
end)
