local cffi = require("spec.support.ffi")
local kitchen = require("spec.core.cli.kitchen")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")
local C, ffi = cffi.load({ "cli/headers.h" })

describe("the headers of a command", function()
  local car

  setup(function()
    sidecar.setup()
    kitchen.build()
    car = sidecar.start(([[return {
      workers = 1,
      listen = { app = "127.0.0.1:0", admin = false },
      registry = { kind = "static", services = { kitchen = { { address = "%s" } } } },
      groups = { g = { fallback = { "static_reply", value = "v" } } },
    }]]):format(kitchen.start()))
  end)

  teardown(function()
    car:stop()
    sidecar.teardown()
  end)

  it("have names in lower case, and values as they are", function()
    local arguments, headers = ffi.new("struct peri_cli_arguments"), ffi.new("struct peri_cli_headers")
    local given = { "X-Env=Canary", "a=", "B-1=x=Y" }
    for i, text in ipairs(given) do
      arguments.headers[i - 1] = text
    end
    arguments.header_count = #given
    assert.equal(0, C.peri_cli_headers_init(arguments, headers))
    local got = {}
    for i = 0, tonumber(headers.count) - 1 do
      local field = headers.fields[i]
      got[i + 1] = ffi.string(field.name.ptr, field.name.len) .. "=" .. ffi.string(field.value.ptr, field.value.len)
    end
    C.peri_cli_headers_done(headers)
    assert.same({ "x-env=Canary", "a=", "b-1=x=Y" }, got)
  end)

  it("bring the explanation to standard error, whatever the verb", function()
    local asks = { "--header", "Perigee-Explain=1" }
    local got = car:cli("get", "g", "k", unpack(asks))
    assert.equal("v\n", got.out)
    assert.truthy(got.err:find('^perigee%-explain: group g, key "k"\nperigee%-explain: not in the cache here\n'), got.err)
    got = car:cli("call", "groupcachepb.GroupCache/Get", '{"group":"g","key":"k"}', unpack(asks))
    assert.equal('{"value":"dg=="}\n', got.out)
    local _, count = got.err:gsub('perigee%-explain: group g, key "k"\n', "")
    assert.equal(1, count, got.err)
    assert.equal("", car:cli("get", "g", "k").err)
  end)

  it("bring it for calls that fail as well, before how they did", function()
    local got = car:cli("call", "--header", "perigee-explain=1", "--header", "perigee-service=kitchen", "kitchen.v1.Kitchen/Fail", '{"anInt32":5,"aString":"gone"}')
    assert.equal(4, got.code)
    assert.equal("", got.out)
    assert.truthy(got.err:find("perigee%-explain: kitchen%.v1%.Kitchen/Fail  attempt 1\n.*\nperigee%-explain: NOT_FOUND after [%d.]+ %S+\nperigee: NOT_FOUND from "), got.err)
  end)

  it("bring nothing that drives a terminal", function()
    local read = proc.run(sidecar.binary, {
      "call", "--target", car.app, "--header", "perigee-explain=1", "groupcachepb.GroupCache/Get",
      '{"group":"g","key":"a\\u001b[31m\\u009b31m\\n\\u202eb"}',
    })
    assert.equal(0, read.code, read.err)
    assert.truthy(read.err:find('group g, key "a?[31m?31m ?b"\n', 1, true), read.err)
  end)
end)
