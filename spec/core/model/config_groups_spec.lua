local cffi = require("spec.support.ffi")
local support = require("spec.core.model.config_support")
local C, ffi = cffi.load({ "model/config.h" })

local function group(text)
  local config = support.build("return { groups = { scores = " .. text .. " } }")
  assert.equal(1, tonumber(config.group_count))
  return config.groups[0], config
end

describe("the groups of a configuration", function()
  it("have defaults", function()
    local scores = group("{}")
    assert.equal("scores", ffi.string(scores.name))
    assert.equal(64 * 1024 * 1024, tonumber(scores.bytes))
    assert.equal(16, scores.shards)
    assert.equal(0, tonumber(scores.ttl_ns))
    assert.equal(1e9, tonumber(scores.negative_ttl_ns))
    assert.equal(1000, tonumber(scores.peer_timeout_ms))
    assert.equal(30000, tonumber(scores.load_timeout_ms))
    assert.equal("ring_crc32", ffi.string(scores.picker.name))
    assert.is_true(scores.picker.options == nil)
    assert.is_true(scores.fallback.name == nil)
  end)

  it("read every key", function()
    local scores, config = group([[{ bytes = "1MiB", shards = 4, ttl = "60s", negative_ttl = 0, peer_timeout = "2s",
      load_timeout = "3s", picker = { "ring_fnv", replicas = 7 }, fallback = { "http_origin", url = "http://x/{key}" } }]])
    assert.equal(1024 * 1024, tonumber(scores.bytes))
    assert.equal(4, scores.shards)
    assert.equal(60e9, tonumber(scores.ttl_ns))
    assert.equal(0, tonumber(scores.negative_ttl_ns))
    assert.equal(2000, tonumber(scores.peer_timeout_ms))
    assert.equal(3000, tonumber(scores.load_timeout_ms))
    assert.equal("ring_fnv", ffi.string(scores.picker.name))
    assert.equal(1, tonumber(C.peri_json_size(scores.picker.options)))
    assert.equal(7, tonumber(C.peri_json_to_integer(C.peri_json_get(scores.picker.options, "replicas"))))
    assert.equal("http_origin", ffi.string(scores.fallback.name))
    local url = C.peri_json_get(scores.fallback.options, "url")
    assert.equal("http://x/{key}", cffi.string(C.peri_json_to_string(url)))
    assert.is_not_nil(config)
  end)

  it("keep what follows a policy's name in its list", function()
    local scores, config = group([[{ fallback = { "chain", { "json_file" }, { "http_origin" } } }]])
    assert.equal("chain", ffi.string(scores.fallback.name))
    assert.equal(2, tonumber(C.peri_json_size(scores.fallback.options)))
    local second = C.peri_json_get(scores.fallback.options, "3")
    assert.equal("http_origin", cffi.string(C.peri_json_to_string(C.peri_json_at(second, 0))))
    assert.is_not_nil(config)
  end)

  it("name the path of what is wrong", function()
    support.fails(
      "return {\n groups = {\n  scores = {\n   tll = '1s',\n  },\n },\n}",
      'p.lua:4: groups.scores.tll: unknown key; did you mean "ttl"?',
      "p.lua"
    )
    support.fails(
      "return { groups = { scores = { bytes = '64 apples' } } }",
      'configuration:1: groups.scores.bytes: "64 apples" is not a size such as "512B", "64MiB"'
    )
    support.fails(
      "return { groups = { scores = { bytes = 100 } } }",
      "configuration:1: groups.scores.bytes: must be 4096 to 1125899906842624 bytes, not 100"
    )
    support.fails(
      "return { groups = { scores = { shards = 0 } } }",
      "configuration:1: groups.scores.shards: must be 1 to 4096, not 0"
    )
    support.fails(
      "return { groups = { scores = { load_timeout = '0s' } } }",
      "configuration:1: groups.scores.load_timeout: must be more than 0"
    )
    support.fails(
      "return { groups = { scores = { ttl = 60 } } }",
      'configuration:1: groups.scores.ttl: must be a duration such as "250ms", "2s", "1h"'
    )
    support.fails(
      "return { groups = { scores = { picker = { replicas = 3 } } } }",
      'configuration:1: groups.scores.picker: must be a policy\'s name, or { "NAME", option = … }'
    )
    support.fails("return { groups = { scores = 1 } }", "configuration:1: groups.scores: must be a table")
    support.fails("return { groups = { { } } }", "configuration:1: groups: must be a table of groups by name")
    support.fails("return { groups = 'scores' }", "configuration:1: groups: must be a table of groups by name")
    support.fails("return { groups = { [''] = {} } }", "configuration:1: groups.: a group needs a name")
    local long = ("g"):rep(201)
    support.fails("return { groups = { " .. long .. " = {} } }", "configuration:1: groups." .. long .. ": a group's name has at most 200 bytes")
  end)
end)
