local origins = require("spec.core.script.origin")
local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "loop/loop.h", "script/http.h", "script/http_shim.h" })

describe("peri_http", function()
  local loop, http, origin

  before_each(function()
    local out = ffi.new("struct peri_loop *[1]")
    assert(C.peri_loop_new(out) == 0)
    loop = out[0]
    local made = ffi.new("struct peri_http *[1]")
    assert(C.peri_http_new(loop, made) == 0)
    http = made[0]
  end)

  after_each(function()
    C.peri_http_free(http)
    assert.equal(0, C.peri_loop_free(loop))
    if origin then
      origin:close()
      origin = nil
    end
  end)

  local function start(options)
    local request = ffi.new("struct peri_http_request", {
      method = options.method or "GET",
      url = options.url,
      timeout_ms = options.timeout_ms or 5000,
      connect_timeout_ms = 1000,
      max_bytes = options.max_bytes or 1000,
      max_redirects = options.max_redirects or 0,
    })
    local lines = options.header or {}
    local header = ffi.new("const char *[?]", #lines + 1, lines)
    request.header, request.header_count = header, #lines
    if options.body then
      request.body, request.has_body = cffi.slice(options.body), true
    end
    local outcome = ffi.new("struct http_outcome")
    local call = ffi.new("struct peri_http_call *[1]")
    assert.equal(0, C.http_shim_start(http, request, outcome, call))
    assert.equal(0, outcome.calls)
    return outcome, call[0]
  end

  local function fetch(options)
    local outcome = start(options)
    origins.await(loop, C.peri_loop_step, function()
      return outcome.calls > 0
    end)
    return {
      code = outcome.code,
      status = outcome.status,
      text = ffi.string(outcome.text),
      url = ffi.string(outcome.url),
      headers = ffi.string(outcome.headers),
      body = ffi.string(outcome.body, math.min(4096, tonumber(outcome.body_len))),
    }
  end

  it("gives status, headers and body", function()
    origin = origins.new(function()
      return origins.response(203, "a\0b", { "X-One: 1" })
    end)
    local got = fetch({ url = origin.url .. "/x?y=1", header = { "X-Sent: yes", "X-Empty;" } })
    assert.same({ 0, 203, "a\0b" }, { got.code, got.status, got.body })
    assert.truthy(got.headers:find("X-One: 1\r\n", 1, true))
    assert.equal("/x?y=1", origin.requests[1].target)
    assert.equal("yes", origin.requests[1].headers["x-sent"])
    assert.equal("", origin.requests[1].headers["x-empty"])
    assert.is_nil(origin.requests[1].headers["expect"])
  end)

  it("takes no broken response for a value", function()
    local answers = {
      ["/chunk"] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n",
      ["/length"] = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
      ["/old"] = "hello\r\n\r\n",
    }
    origin = origins.new(function(request)
      return answers[request.target]
    end)
    for path in pairs(answers) do
      local got = fetch({ url = origin.url .. path, timeout = 500 })
      assert.is_true(got.code < 0, path)
      assert.is_true(#got.text > 0, path)
    end
  end)

  it("keeps connections alive", function()
    origin = origins.new(function()
      return origins.response(200, "v")
    end)
    for _ = 1, 5 do
      assert.equal("v", fetch({ url = origin.url .. "/" }).body)
    end
    assert.equal(1, origin.connections)
  end)

  it("sends methods and bodies", function()
    origin = origins.new(function()
      return origins.response(200, "")
    end)
    fetch({ url = origin.url, method = "POST", body = "x\0y" })
    fetch({ url = origin.url, method = "PUT", body = "" })
    fetch({ url = origin.url, method = "DELETE" })
    fetch({ url = origin.url, method = "HEAD" })
    local seen = {}
    for i, request in ipairs(origin.requests) do
      seen[i] = request.method .. " " .. request.body
    end
    assert.same({ "POST x\0y", "PUT ", "DELETE ", "HEAD " }, seen)
  end)

  it("ends a response that is too large, announced or not", function()
    origin = origins.new(function(request)
      if request.target == "/announced" then
        return origins.response(200, ("x"):rep(1001))
      elseif request.target == "/fits" then
        return origins.response(200, ("x"):rep(1000))
      end
      return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("1f4\r\n" .. ("x"):rep(500) .. "\r\n"):rep(3)
    end)
    assert.equal(0, fetch({ url = origin.url .. "/fits" }).code)
    for _, path in ipairs({ "/announced", "/chunked" }) do
      local got = fetch({ url = origin.url .. path })
      assert.equal(C.PERI_ELIMIT, got.code, path)
      assert.equal("the response is larger than allowed", got.text)
    end
  end)

  it("ends headers that are too large", function()
    origin = origins.new(function()
      return origins.response(200, "", { "X: " .. ("x"):rep(70000) })
    end)
    assert.equal(C.PERI_ELIMIT, fetch({ url = origin.url }).code)
  end)

  it("gives up in time", function()
    origin = origins.new(function() end)
    assert.equal(C.PERI_ETIMEOUT, fetch({ url = origin.url, timeout_ms = 50 }).code)
  end)

  it("says when nobody is there", function()
    origin = origins.new(function()
      return false
    end)
    assert.equal(C.PERI_ECLOSED, fetch({ url = origin.url }).code)
    local url = origin.url
    origin:close()
    origin = nil
    local got = fetch({ url = url })
    assert.equal(C.PERI_ECONNECT, got.code)
    assert.truthy(#got.text > 0)
  end)

  it("speaks nothing but http and https, redirects included", function()
    origin = origins.new(function()
      return origins.response(302, "", { "Location: file:///etc/hostname" })
    end)
    assert.equal(C.PERI_EINVAL, fetch({ url = "file:///etc/hostname" }).code)
    assert.equal(C.PERI_EINVAL, fetch({ url = "gopher://127.0.0.1/" }).code)
    assert.equal(C.PERI_EINVAL, fetch({ url = origin.url, max_redirects = 3 }).code)
  end)

  it("follows as many redirects as it may", function()
    origin = origins.new(function(request)
      local left = tonumber(request.target:match("%d+"))
      if left == 0 then
        return origins.response(200, "there", { "X-Last: yes" })
      end
      return origins.response(302, "", { "Location: /" .. left - 1, "X-First: yes" })
    end)
    local got = fetch({ url = origin.url .. "/2", max_redirects = 2 })
    assert.equal("there", got.body)
    assert.equal(origin.url .. "/0", got.url)
    assert.is_nil(got.headers:find("X-First", 1, true))
    assert.equal(C.PERI_ELIMIT, fetch({ url = origin.url .. "/3", max_redirects = 2 }).code)
    assert.equal(302, fetch({ url = origin.url .. "/1" }).status)
  end)

  it("refuses a certificate that it cannot verify", function()
    local server = origins.tls()
    local got = fetch({ url = "https://127.0.0.1:" .. server.port .. "/" })
    server:close()
    assert.equal(C.PERI_ECONNECT, got.code)
    assert.truthy(got.text:lower():find("certificate", 1, true), got.text)
  end)

  it("forgets a call that is cancelled", function()
    origin = origins.new(function() end)
    local outcome, call = start({ url = origin.url })
    origins.await(loop, C.peri_loop_step, function()
      return #origin.requests == 1
    end)
    C.peri_http_cancel(call)
    local early, other = start({ url = origin.url })
    C.peri_http_cancel(other)
    for _ = 1, 10 do
      C.peri_loop_step(loop, 1)
      origin:turn()
    end
    assert.equal(0, outcome.calls)
    assert.equal(0, early.calls)
  end)
end)
