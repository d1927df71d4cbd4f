local proc = require("spec.support.proc")
local cffi = require("spec.support.ffi")
local kitchen = require("spec.core.cli.kitchen")
local C, ffi = cffi.load({ "cli/link.h", "cli/resolve.h", "cli/schema.h", "rpc/call.h" })

describe("reflection", function()
  setup(kitchen.build)

  teardown(function()
    proc.destroy_all()
  end)

  --- The code, the schema and the words for a service at an address.
  local function resolve(address, service)
    local link, problem = ffi.new("struct peri_cli_link *[1]"), ffi.new("struct peri_problem")
    assert.equal(0, C.peri_cli_link_new(address, link, problem))
    local schema = ffi.gc(C.peri_schema_new(), C.peri_schema_free)
    local request = ffi.new("struct peri_rpc_request")
    request.timeout_ms = 10000
    local rc = C.peri_cli_resolve(link[0], request, cffi.slice(service), schema, problem)
    C.peri_cli_link_free(link[0])
    return rc, schema, ffi.string(problem.text)
  end

  it("brings a service's file with all that it imports, by v1alpha where there is no v1", function()
    local rc, schema, words = resolve(kitchen.start(), "kitchen.v1.Kitchen")
    assert.equal(0, rc, words)
    assert.is_true(C.peri_schema_missing(schema) == nil)
    assert.truthy(C.peri_schema_message(schema, ".kitchen.v1.Everything") ~= nil)
    assert.truthy(C.peri_schema_message(schema, ".google.protobuf.Struct") ~= nil)
  end)

  it("says that there is no such service, or no reflection, or nobody", function()
    assert.equal(C.PERI_ENOTFOUND, (resolve(kitchen.start(), "kitchen.v1.Garden")))
    local rc, _, words = resolve(kitchen.start(true), "kitchen.v1.Kitchen")
    assert.equal(C.PERI_EUNSUPPORTED, rc)
    assert.truthy(words:find("--raw", 1, true), words)
    assert.equal(C.PERI_ECONNECT, (resolve("127.0.0.1:" .. proc.free_port(), "a.B")))
  end)
end)
