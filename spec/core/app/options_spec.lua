local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/options.h" })

local function parse(...)
  local words = { ... }
  local argv = ffi.new("const char *[?]", #words + 1, words)
  argv[#words] = nil
  local options = ffi.new("struct peri_serve_options")
  local problem = ffi.new("struct peri_problem")
  local code = C.peri_serve_options_parse(#words, argv, options, problem)
  return options, code, ffi.string(problem.text), argv
end

describe("the options of serve", function()
  it("have defaults", function()
    local options, code = parse()
    assert.equal(0, code)
    assert.equal("perigee.lua", ffi.string(options.config))
    assert.equal(tonumber(C.PERI_LOG_INFO), tonumber(options.log_level))
    assert.equal(tonumber(C.PERI_LOG_TEXT), tonumber(options.log_format))
    assert.is_false(options.help)
  end)

  it("are taken with a space or an equals sign", function()
    for _, words in ipairs({
      { "--config", "x.lua", "--log-format", "json", "--log-level", "debug" },
      { "--config=x.lua", "--log-format=json", "--log-level=debug" },
    }) do
      local options, code, _, argv = parse(unpack(words))
      assert.equal(0, code)
      assert.equal("x.lua", ffi.string(options.config))
      assert.equal(tonumber(C.PERI_LOG_JSON), tonumber(options.log_format))
      assert.equal(tonumber(C.PERI_LOG_DEBUG), tonumber(options.log_level))
      assert.is_truthy(argv)
    end
    assert.is_true(parse("--help").help)
    assert.is_true(parse("-h").help)
  end)

  it("end where the application begins", function()
    local options, code, _, argv = parse("--config", "x.lua", "--", "server", "--config", "y")
    assert.equal(0, code)
    assert.equal("x.lua", ffi.string(options.config))
    assert.equal("server", ffi.string(options.command[0]))
    assert.equal("--config", ffi.string(options.command[1]))
    assert.equal("y", ffi.string(options.command[2]))
    assert.is_true(options.command[3] == nil)
    assert.is_truthy(argv)
    assert.is_true(parse().command == nil)
  end)

  it("name what is right when they are wrong", function()
    local function fails(words, ...)
      local _, code, text = parse(...)
      assert.equal(tonumber(C.PERI_EINVAL), code)
      assert.truthy(text:find(words, 1, true), text)
    end
    fails("did you mean --config?", "--confg", "x")
    fails("did you mean --log-level?", "--log-levle=info")
    fails("see perigee serve --help", "--utterly-different")
    fails("named by --config", "perigee.lua")
    fails("stands behind --", "server")
    fails("-- needs a command behind it", "--")
    fails("needs a value", "--config")
    fails("needs a value", "--config=")
    fails("text or json", "--log-format", "xml")
    fails("debug, info, warn or error", "--log-level", "loud")
    fails("unknown option", "--help=yes")
  end)

  it("are explained", function()
    local text = ffi.string(C.peri_serve_options_help())
    for _, word in ipairs({ "--config", "--log-format", "--log-level", "SIGHUP", "PERIGEE_DATA", "Exit status" }) do
      assert.truthy(text:find(word, 1, true), word)
    end
    assert.truthy(text:find("SIGHUP +read the configuration and the policies again"), text)
    assert.is_nil(text:find("restart", 1, true))
  end)
end)
