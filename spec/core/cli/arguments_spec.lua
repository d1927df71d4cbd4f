local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "cli/arguments.h" })

local all = 31

local function parse(flags, ...)
  local words = { ... }
  local argv = ffi.new("const char *[?]", #words + 1, words)
  local room = ffi.new("const char *[?]", #words + 1)
  local got = ffi.new("struct peri_cli_arguments")
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_cli_arguments_parse(#words, argv, flags, room, got, problem)
  local list = {}
  for i = 1, tonumber(got.word_count) do
    list[i] = ffi.string(got.words[i - 1])
  end
  return got, list, code, ffi.string(problem.text), { argv, room }
end

describe("arguments", function()
  it("have defaults", function()
    local got, list, code = parse(all)
    assert.equal(0, code)
    assert.same({}, list)
    assert.equal("127.0.0.1:7400", ffi.string(got.target))
    assert.equal("perigee.lua", ffi.string(got.config))
    assert.equal(10000, tonumber(got.timeout_ms))
    assert.equal(-1, tonumber(got.ttl_ns))
    assert.is_false(got.json)
    assert.is_false(got.help)
  end)

  it("mix options and words", function()
    local got, list, code, _, keep =
      parse(all, "g", "--json", "--target", "unix:/tmp/x", "k", "--timeout=2s", "--ttl", "90s", "-", "--", "--json", "-h")
    assert.equal(0, code)
    assert.same({ "g", "k", "-", "--json", "-h" }, list)
    assert.equal("unix:/tmp/x", ffi.string(got.target))
    assert.equal(2000, tonumber(got.timeout_ms))
    assert.equal(90 * 10 ^ 9, tonumber(got.ttl_ns))
    assert.is_true(got.json)
    assert.is_false(got.help)
    assert.is_truthy(keep)
  end)

  it("never wait for nothing", function()
    assert.equal(1, tonumber(parse(all, "--timeout", "10us").timeout_ms))
  end)

  it("take headers with names that gRPC takes", function()
    for _, header in ipairs({ "x=", "X-Env=a=b", "perigee.v1_x-2= !~", "x-bin=\255\1" }) do
      local got, _, code, words, keep = parse(511, "--header", header)
      assert.equal(0, code, words)
      assert.equal(header, ffi.string(got.headers[0]))
      assert.is_truthy(keep)
    end
    for _, header in ipairs({ ":path=/", "x y=1", "x\195\164=1", "x\1=1" }) do
      local _, _, code, words = parse(511, "--header", header)
      assert.equal(tonumber(C.PERI_EINVAL), code, header)
      assert.truthy(words:find("a name is made of letters, digits, -, _ and .", 1, true), words)
    end
  end)

  it("ask for help", function()
    assert.is_true(parse(0, "--help").help)
    assert.is_true(parse(0, "x", "-h").help)
  end)

  it("name what is right when they are wrong", function()
    local function fails(words, flags, ...)
      local _, _, code, text = parse(flags, ...)
      assert.equal(tonumber(C.PERI_EINVAL), code)
      assert.truthy(text:find(words, 1, true), text)
    end
    fails("did you mean --json?", all, "--jsno")
    fails("did you mean --timeout?", all, "--timeot=1s")
    fails("unknown option --json", tonumber(C.PERI_CLI_CONFIG), "--json")
    fails("goes after --", all, "-5")
    fails("--target needs a value", all, "--target")
    fails("host:port or unix:PATH", all, "--target", "nonsense")
    fails("250ms", all, "--timeout", "soon")
    fails("250ms", all, "--ttl", "5")
    fails("unknown option", all, "--json=yes")
  end)
end)
