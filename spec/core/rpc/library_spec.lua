local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h" })

-- The header holds gRPC's own types, so the table is given as bytes.
ffi.cdef("int peri_grpc_load(void *ret_grpc, struct peri_problem *ret_problem);")

describe("gRPC's library", function()
  it("is loaded when asked for, with every function", function()
    local grpc = ffi.new("void *[64]")
    local problem = ffi.new("struct peri_problem")
    local marker = ffi.cast("void *", 7)
    for i = 0, 63 do
      grpc[i] = marker
    end
    assert.equal(0, C.peri_grpc_load(grpc, problem), ffi.string(problem.text))
    local functions = 0
    while grpc[functions] ~= marker do
      assert.is_true(grpc[functions] ~= nil, "function " .. functions)
      functions = functions + 1
    end
    assert.truthy(functions > 20 and functions < 64, functions)
  end)

  it("is the same when asked for again", function()
    local first, second = ffi.new("void *[64]"), ffi.new("void *[64]")
    assert.equal(0, C.peri_grpc_load(first, nil))
    assert.equal(0, C.peri_grpc_load(second, nil))
    assert.is_true(first[1] == second[1])
  end)
end)
