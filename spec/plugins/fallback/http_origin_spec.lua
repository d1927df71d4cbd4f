local support = require("spec.plugins.support")
local s, origins = support.s, support.origins

describe("the fallback http_origin", function()
  local script, origin


  before_each(function()
    script = support.script()
    origin = origins.new(function(request)
      local status = tonumber(request.target:match("^/status/(%d+)")) or 200
      return origins.response(status, "value of " .. request.target, { "Cache-Control: max-age=60", "Age: 10" })
    end)
  end)
  after_each(function()
    script:close()
    origin:close()
    s.clean()
  end)

  local function ask(path, key, members)
    local options = ('{"url":"%s%s"%s}'):format(origin.url, path, members and "," .. members or "")
    return origins.fetch(s, script, assert(script:fallback("http_origin", options)), key)
  end

  it("asks for the key and the group, percent-encoded", function()
    local got = ask("/{group}/{key}?x={{1}}", "a/b ?é")
    assert.equal(0, got.code)
    assert.equal("/countries/a%2Fb%20%3F%C3%A9?x={1}", origin.requests[1].target)
    assert.equal("value of " .. origin.requests[1].target, got.value)
    assert.equal(-1, got.ttl_ns)
  end)

  it("never leaves the URL's path for a key of dots", function()
    for _, key in ipairs({ ".", ".." }) do
      local got = ask("/scores/{key}/data", key)
      assert.equal(s.EINVAL, got.code)
      assert.truthy(got.text:find('"' .. key .. '"', 1, true), got.text)
    end
    assert.equal(0, #origin.requests)
    assert.equal(0, ask("/scores/{key}", "...").code)
    assert.equal("/scores/...", origin.requests[1].target)
    assert.equal(0, ask("/scores/{key}", "../../up").code)
    assert.equal("/scores/..%2F..%2Fup", origin.requests[2].target)
    assert.equal(0, ask("/scores?key={key}", "..").code)
    assert.equal("/scores?key=..", origin.requests[3].target)
  end)

  it("sends a key's line breaks as text, not as headers", function()
    assert.equal(0, ask("/{key}", "a\r\nX-Evil: 1\r\n\r\nGET /evil HTTP/1.1").code)
    assert.equal(1, #origin.requests)
    assert.is_nil(origin.requests[1].headers["x-evil"])
    assert.truthy(origin.requests[1].target:find("^/a%%0D%%0AX%-Evil"))
  end)

  it("takes 404 and 410 for not-found and others for failures", function()
    for status, code in pairs({ [200] = 0, [404] = s.ENOTFOUND, [410] = s.ENOTFOUND, [500] = s.EIO, [403] = s.EIO, [204] = s.EIO }) do
      assert.equal(code, ask("/status/{key}", tostring(status)).code, status)
    end
  end)

  it("keeps a value as long as the origin allows, when asked to", function()
    assert.equal(50e9, ask("/{key}", "a", '"cache_control":true').ttl_ns)
  end)

  it("sends headers and keeps to its limits", function()
    ask("/{key}", "a", '"headers":{"Authorization":"Bearer x"}')
    assert.equal("Bearer x", origin.requests[1].headers["authorization"])
    assert.equal(s.ELIMIT, ask("/{key}", "a", '"max_bytes":3').code)
    origin.answer = function() end
    assert.equal(s.ETIMEOUT, ask("/{key}", "a", '"timeout":"20ms"').code)
  end)

  it("says at the start what is wrong with its options", function()
    for options, words in pairs({
      ["{}"] = "url",
      ['{"url":"http://x/{kye}"}'] = "{kye}",
      ['{"url":"ftp://x/{key}"}'] = "http",
      ['{"url":"http://x/","timeot":1}'] = "timeout",
    }) do
      local made, code, text = script:fallback("http_origin", options)
      assert.is_nil(made)
      assert.equal(s.ECONFIG, code)
      assert.truthy(text:find(words, 1, true), text)
    end
  end)
end)
