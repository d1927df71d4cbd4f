local proc = require("spec.support.proc")
local kitchen = require("spec.core.cli.kitchen")
local binary = proc.build .. "/perigee"

describe("perigee call", function()
  local address, plain

  setup(function()
    kitchen.build()
    address, plain = kitchen.start(), kitchen.start(true)
  end)

  teardown(function()
    proc.destroy_all()
  end)

  --- @param method string of the kitchen
  local function call(method, ...)
    return proc.run(binary, { "call", "--target", address, "kitchen.v1.Kitchen/" .. method, ... })
  end

  local function piped(method, input, ...)
    return proc.run(binary, { "call", "--target", address, "kitchen.v1.Kitchen/" .. method, ... }, { input = input })
  end

  it("makes unary calls, with {} for no request", function()
    local got = call("Echo", '{"an_int32":5,"inner":{"name":"n"}}')
    assert.equal(0, got.code, got.err)
    assert.equal('{"anInt32":5,"inner":{"name":"n"}}\n', got.out)
    assert.equal("{}\n", call("Echo").out)
    assert.equal('{"aString":"x"}\n', piped("Echo", '{"aString":\n"x"}\n', "-").out)
  end)

  it("streams in both directions", function()
    assert.equal('{"anInt32":1}\n{"anInt32":2}\n', call("Split", '{"numbers":[1,2]}').out)
    assert.equal('{"words":["a","b","c"]}\n', piped("Collect", '{"aString":"a"}{"aString":"b"}\n{"aString":"c"}', "-").out)
    assert.equal('{"aString":"a"}\n{"aString":"b"}\n', piped("Chat", '{"aString":"a"} {"aString":"b"}', "-").out)
    assert.equal("{}\n", piped("Collect", "", "-").out)
  end)

  it("prints what came before a status", function()
    local got = call("Split", '{"numbers":[7],"aString":"enough"}')
    assert.equal(1, got.code)
    assert.equal('{"anInt32":7}\n', got.out)
    assert.truthy(got.err:find("ABORTED from " .. address .. ": enough", 1, true), got.err)
  end)

  it("ends as the other verbs do", function()
    assert.equal(4, call("Fail", '{"anInt32":5,"aString":"gone"}').code)
    local own = call("Fail", '{"anInt32":12,"aString":"no"}')
    assert.equal(1, own.code)
    assert.is_nil(own.err:find("app listener", 1, true))
    assert.equal(2, call("Echo", "{").code)
    assert.equal(2, call("Echo", "{}{}").code)
    assert.equal(2, call("Echo", '{"nope":1}').code)
    assert.equal(2, call("Echo", "{}", "--raw", "/dev/null").code)
    for _, word in ipairs({ "Echo", "/Echo", "kitchen.v1.Kitchen/", "/" }) do
      assert.equal(2, proc.run(binary, { "call", "--target", address, word }).code, word)
    end
    local nowhere = proc.run(binary, { "call", "--target", "127.0.0.1:" .. proc.free_port(), "a.B/C" })
    assert.equal(1, nowhere.code)
    assert.truthy(nowhere.err:find("UNAVAILABLE", 1, true), nowhere.err)
  end)

  it("names what the server does not have", function()
    local method = call("Eccho")
    assert.equal(1, method.code)
    assert.truthy(method.err:find("kitchen.v1.Kitchen has no method Eccho", 1, true), method.err)
    local service = proc.run(binary, { "call", "--target", address, "no.Such/Thing" })
    assert.equal(1, service.code)
    assert.truthy(service.err:find("no.Such", 1, true), service.err)
  end)

  it("sends headers", function()
    assert.equal('{"aString":"a=b,c"}\n', call("Echo", "--header", "x-say=a=b", "--header=x-say=c").out)
    assert.equal(2, call("Echo", "--header", "nothing").code)
  end)

  it("sends and prints bytes as they are, without reflection", function()
    local got = proc.run(binary, { "call", "--target", plain, "kitchen.v1.Kitchen/Echo", "--raw", "-" }, { input = "\24\5\114\3a\0b" })
    assert.equal(0, got.code, got.err)
    assert.equal("\24\5\114\3a\0b", got.out)
    local missing = proc.run(binary, { "call", "--target", plain, "kitchen.v1.Kitchen/Echo" })
    assert.equal(1, missing.code)
    assert.truthy(missing.err:find("--raw", 1, true), missing.err)
    assert.equal(1, call("Echo", "--raw", "/no/such/file").code)
  end)
end)
