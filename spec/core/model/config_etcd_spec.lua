local cffi = require("spec.support.ffi")
local proc = require("spec.support.proc")
local support = require("spec.core.model.config_support")
local _, ffi = cffi.load({ "model/config.h" })

local CERTIFICATE = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
local KEY = "-----BEGIN PRIVATE KEY-----\nU0VDUkVU\n-----END PRIVATE KEY-----\n"

local function text(value)
  return value ~= nil and ffi.string(value) or nil
end

--- A configuration whose registry is of kind "etcd"; `fields` are Lua text.
local function registry(fields)
  return "return { listen = { mesh = false }, registry = { kind = 'etcd', " .. fields .. " } }"
end

local function with(fields)
  return registry("endpoints = 'https://h:1', " .. fields)
end

local function fails(fields, words)
  support.fails(with(fields), "configuration:1: registry." .. words)
end

describe("a registry of kind etcd", function()
  local folder

  setup(function()
    folder = proc.folder()
    proc.write(folder .. "/ca.pem", "a comment\n" .. CERTIFICATE)
    proc.write(folder .. "/client.pem", CERTIFICATE)
    proc.write(folder .. "/client.key", KEY)
    proc.write(folder .. "/none.pem", "nothing SECRET here")
    proc.write(folder .. "/nul.pem", CERTIFICATE .. "\0")
    proc.write(folder .. "/large.pem", CERTIFICATE .. ("x"):rep(2 ^ 20))
  end)

  teardown(function()
    proc.remove(folder)
  end)

  it("has defaults", function()
    local config = support.build(registry("endpoints = { '127.0.0.1:2379' }"))
    local etcd = config.etcd
    assert.equal(1, tonumber(etcd.endpoint_count))
    assert.equal("127.0.0.1:2379", text(etcd.endpoints[0]))
    assert.equal(10, etcd.ttl_s)
    assert.equal("", text(etcd.prefix))
    assert.equal(2000, tonumber(etcd.timeout_ms))
    assert.equal(1000, tonumber(etcd.propagation_ms))
    assert.equal(15000, tonumber(etcd.audit_ms))
    for _, key in ipairs({ "user", "password", "ca", "certificate", "key", "server_name" }) do
      assert.is_nil(text(config.etcd[key]), key)
    end
  end)

  it("takes all there is", function()
    local config = support.build(
      registry([[endpoints = { "https://a:1/", "https://[::1]:2" }, ttl = "5s", prefix = "/mesh/", user = "u", password = "p",
        ca = "ca.pem", certificate = "./client.pem", key = "]] .. folder .. [[/client.key", server_name = "etcd.example",
        timeout = "500ms", propagation = 0, audit = "1s", forget = "2m"]]),
      folder .. "/perigee.lua"
    )
    local etcd = config.etcd
    assert.equal("https://a:1", text(etcd.endpoints[0]))
    assert.equal("https://[::1]:2", text(etcd.endpoints[1]))
    assert.equal(5, etcd.ttl_s)
    assert.equal("/mesh/", text(etcd.prefix))
    assert.equal("u", text(etcd.user))
    assert.equal("p", text(etcd.password))
    assert.equal("a comment\n" .. CERTIFICATE, text(etcd.ca))
    assert.equal(CERTIFICATE, text(etcd.certificate))
    assert.equal(KEY, text(etcd.key))
    assert.equal("etcd.example", text(etcd.server_name))
    assert.equal(500, tonumber(etcd.timeout_ms))
    assert.equal(0, tonumber(etcd.propagation_ms))
    assert.equal(1000, tonumber(etcd.audit_ms))
    assert.equal("etcd", text(config.registry_kind))
  end)

  it("takes certificates and keys as texts", function()
    local config = support.build(with(("ca = %q, certificate = %q, key = %q"):format(CERTIFICATE, CERTIFICATE, KEY)))
    assert.equal(CERTIFICATE, text(config.etcd.ca))
    assert.equal(KEY, text(config.etcd.key))
    config = support.build(with("prefix = ''"))
    assert.equal("", text(config.etcd.prefix))
  end)

  it("checks endpoints", function()
    support.fails(registry("ttl = '10s'"), 'configuration:1: registry: kind "etcd" needs endpoints')
    for fields, words in pairs({
      ["endpoints = {}"] = ": must be 1 to 64 endpoints",
      ["endpoints = 7"] = ": must be a list",
      ["endpoints = { 'x' }"] = '[1]: "x" is not an endpoint such as "http://127.0.0.1:2379"',
      ["endpoints = { 'ftp://h:1' }"] = '[1]: "ftp://h:1" is not an endpoint such as "http://127.0.0.1:2379"',
      ["endpoints = { 'http://h:1/v3' }"] = '[1]: "http://h:1/v3" is not an endpoint such as "http://127.0.0.1:2379"',
      ["endpoints = { 'h:0' }"] = '[1]: "h:0" has no port to dial',
      ["endpoints = { 'h:1', 'h:1' }"] = '[2]: "h:1" is listed twice',
      ["endpoints = { 'http://h:1', 'http://h:1/' }"] = '[2]: "http://h:1" is listed twice',
      ["endpoints = { 'http://h:1', 'https://h:2' }"] = '[2]: "https://h:2" is written another way than the first endpoint',
      ["endpoints = { 'http://u:pw@h:1' }"] = "[1]: must not hold a user or a password: use user and password beside endpoints",
    }) do
      support.fails(registry(fields), "configuration:1: registry.endpoints" .. words)
    end
    local config = support.build(registry("endpoints = 'unix:/run/etcd'"))
    assert.equal("unix:/run/etcd", text(config.etcd.endpoints[0]))
  end)

  it("checks times", function()
    fails("ttl = '4s'", "ttl: must be 5s to 24h")
    fails("ttl = '25h'", "ttl: must be 5s to 24h")
    fails("ttl = '5500ms'", "ttl: must be whole seconds")
    fails("ttl = 0", "ttl: must be more than 0")
    fails("ttl = 10", 'ttl: must be a duration such as "250ms", "2s", "1h"')
    fails("timeout = '99ms'", "timeout: must be 100ms to 1m")
    fails("timeout = '61s'", "timeout: must be 100ms to 1m")
    fails("propagation = '61s'", "propagation: must be at most 1m")
    fails("audit = '100ms'", "audit: must be 500ms to 1m")
    fails("forget = '999ms'", "forget: must be 1s to 24h")
    fails("forget = '25h'", "forget: must be 1s to 24h")
  end)

  it("wants a user with a password, and a certificate with a key", function()
    fails("user = 'u'", "user: needs password as well")
    fails("password = 'SECRET'", "password: needs user as well")
    fails(("certificate = %q"):format(CERTIFICATE), "certificate: needs key as well")
    fails(("key = %q"):format(KEY), "key: needs certificate as well")
  end)

  it("refuses what only TLS needs when there is none", function()
    local words = ": says nothing without TLS: write the endpoints with https://"
    support.fails(
      registry(("endpoints = 'http://h:1', ca = %q"):format(CERTIFICATE)),
      "configuration:1: registry.ca" .. words
    )
    support.fails(registry("endpoints = 'h:1', server_name = 'x'"), "configuration:1: registry.server_name" .. words)
    local config = support.build(registry(("endpoints = 'h:1', server_name = 'x', ca = %q"):format(CERTIFICATE)))
    assert.equal("x", text(config.etcd.server_name))
  end)

  it("says which file is wrong, and nothing of what is in it", function()
    for _, case in ipairs({
      { "ca = 'missing.pem'", "ca: %s/missing.pem: there is no such file" },
      { "ca = '.'", "ca: %s/.: this is not a regular file" },
      { "ca = 'none.pem'", "ca: %s/none.pem is no PEM text" },
      { "ca = 'nul.pem'", "ca: %s/nul.pem is no PEM text" },
      { "ca = 'large.pem'", "ca: %s/large.pem: a PEM file has at most 1 MiB" },
      { "ca = 'client.key'", "ca: %s/client.key holds no certificate" },
      { "certificate = 'client.key', key = 'client.pem'", "certificate: %s/client.key holds no certificate" },
      { "certificate = 'client.pem', key = 'client.pem'", "key: %s/client.pem holds no private key" },
    }) do
      support.fails(with(case[1]), folder .. "/perigee.lua:1: registry." .. case[2]:format(folder), folder .. "/perigee.lua")
    end
    fails("key = 'not a\\nSECRET key'", "key: must be a path or PEM text")
    fails(("key = %q"):format(CERTIFICATE), "key: it holds no private key")
  end)

  it("never tells a password", function()
    for _, fields in ipairs({
      "user = 'u', password = { 'SECRET' }",
      "user = 'u', password = 'SECRET\\0'",
      "user = 7, password = 'SECRET'",
      "user = 'u', password = 'SECRET', pasword = 'SECRET'",
      "user = 'u', password = 'SECRET', ttl = '1s'",
    }) do
      local code, words = support.try(with(fields))
      assert.is_true(code < 0)
      assert.is_nil(words:find("SECRET", 1, true), words)
    end
  end)
end)
