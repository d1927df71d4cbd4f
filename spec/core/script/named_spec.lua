local s = require("spec.core.script.support")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/json.h", "script/named.h" })

describe("what a configuration names", function()
  local config = [[{
    "listen": { "app": "127.0.0.1:1" }, "balancer": "p2c",
    "routes": [ { "match": { "service": "a.*" }, "to": "a", "balancer": { "1": "pin", "header": "x" } }, { "match": {}, "to": "b" } ],
    "groups": { "g": { "picker": "maglev", "fallback": { "1": "http_origin", "url": "u" } }, "h": {} }
  }]]
  local script

  before_each(function()
    script = s.script({}, config)
  end)

  after_each(function()
    script:close()
    s.clean()
  end)

  local function has(kind, name, options)
    local ref, json
    if options then
      json = ffi.new("struct peri_json *[1]")
      assert(C.peri_json_parse(cffi.slice(options), json, nil) == 0)
      ref = ffi.new("struct peri_policy_ref", name, json[0])
    end
    local found = C.peri_named_has(script.shim.config, kind, name, ref)
    if json then
      C.peri_json_unref(json[0])
    end
    return found
  end

  it("is the balancers, pickers and fallbacks", function()
    for _, each in ipairs({ { "balancer", "p2c" }, { "balancer", "pin" }, { "picker", "maglev" }, { "picker", "ring_crc32" }, { "fallback", "http_origin" } }) do
      assert.is_true(has(each[1], each[2]), each[2])
    end
    assert.is_false(has("picker", "pin"))
    assert.is_false(has("fallback", "static_reply"))
    assert.is_false(has("balancer", "p2c_ewma"))
  end)

  it("is told apart by options", function()
    assert.is_true(has("balancer", "pin", '{"header":"x"}'))
    assert.is_false(has("balancer", "pin", '{"header":"y"}'))
    assert.is_false(has("balancer", "p2c", '{"header":"y"}'))
    assert.is_true(has("picker", "maglev", "{}"))
  end)

  it("is nothing without a configuration", function()
    assert.is_false(C.peri_named_has(nil, "picker", "maglev", nil))
    assert.equal(0, C.peri_named_each(nil, nil, nil))
  end)
end)
