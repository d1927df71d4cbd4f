local uv = require("luv")
local M = require("spec.core.etcd.rig")
local certs = require("spec.support.certs")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local C = M.C

describe("etcd/session", function()
  after_each(function()
    M.close_all()
    etcd.stop_all()
  end)

  it("refuses what can be no session, in words", function()
    local cases = {
      { { endpoints = {} }, "0 endpoints" },
      { { endpoints = { "nowhere" } }, '"nowhere" is no endpoint' },
      { { endpoints = { "http://a:1", "https://b:2" } }, "mixed" },
      { { endpoints = { "http://a:1", "b:2" }, tls = true }, "mixed" },
      { { endpoints = { "a:1" }, key = "-----BEGIN PRIVATE KEY-----" }, "certificate" },
      { { endpoints = { "a:1" }, certificate = "-----BEGIN CERTIFICATE-----" }, "key" },
    }
    for _, case in ipairs(cases) do
      local rig, code, words = M.open(case[1])
      assert.is_nil(rig)
      assert.equal(tonumber(C.PERI_EINVAL), code)
      assert.truthy(words:find(case[2], 1, true), words)
    end
    local many = {}
    for i = 1, 33 do
      many[i] = "a:" .. i
    end
    assert.is_nil((M.open({ endpoints = many })))
    many[33] = nil
    assert(M.open({ endpoints = many }))
  end)

  it("opens and closes without anybody there", function()
    for _, endpoints in ipairs({ { "a:1" }, { "http://[::1]:1" }, { "unix:/no/such.sock" }, { "https://a:1" } }) do
      local rig = assert(M.open({ endpoints = endpoints }))
      rig:start_put("a", "1")
      rig:close()
    end
  end)

  it("can be opened several times", function()
    local cluster = etcd.start()
    local one, two = assert(M.open({ endpoints = cluster.endpoints })), assert(M.open({ endpoints = cluster.endpoints }))
    assert.equal("ok", one:put("a", "1").kind)
    assert.equal("1", two:range("a").rows[1].value)
    one:close()
    assert.equal("ok", two:put("a", "2").kind)
  end)

  it("speaks over a Unix socket", function()
    -- etcd's own sockets have odd names: one of ours leads to it.
    local folder, pipes, broken = proc.folder(), {}, uv.new_signal()
    broken:start("sigpipe")
    local cluster = etcd.start()
    local server = uv.new_pipe(false)
    assert(server:bind(folder .. "/etcd.sock"))
    server:listen(8, function()
      local near, far = uv.new_pipe(false), uv.new_tcp()
      pipes[#pipes + 1], pipes[#pipes + 2] = near, far
      server:accept(near)
      far:connect("127.0.0.1", tonumber(cluster.endpoints[1]:match(":(%d+)$")), function()
        for from, to in pairs({ [near] = far, [far] = near }) do
          from:read_start(function(_, bytes)
            if bytes then
              to:write(bytes)
            end
          end)
        end
      end)
    end)
    local rig = assert(M.open({ endpoints = { "unix:" .. folder .. "/etcd.sock" } }))
    local got = rig:put("a", "1")
    assert.equal("ok", got.kind, got.text)
    rig:close()
    server:close()
    broken:close()
    for _, pipe in ipairs(pipes) do
      pipe:close()
    end
    proc.remove(folder)
  end)

  describe("with TLS", function()
    local folder, cluster, ca, other, roots, good, named, old, client, stranger

    local function read(path)
      local file = assert(io.open(path, "rb"))
      local text = file:read("*a")
      file:close()
      return text
    end

    local function serve(certificate, more)
      local flags = { "--cert-file", certificate.cert, "--key-file", certificate.key }
      for _, flag in ipairs(more or {}) do
        flags[#flags + 1] = flag
      end
      cluster = etcd.start({ scheme = "https", flags = flags })
    end

    setup(function()
      folder = proc.folder()
      ca, other = certs.authority(folder, "ca"), certs.authority(folder, "other")
      roots = read(ca.cert)
      good = certs.issue(ca, folder, "good")
      named = certs.issue(ca, folder, "named", { alt = "DNS:etcd.test" })
      old = certs.issue(ca, folder, "old", { expired = true })
      client = certs.issue(ca, folder, "client")
      stranger = certs.issue(other, folder, "stranger")
    end)
    teardown(function()
      proc.remove(folder)
    end)

    local function expect_tls(options)
      options.endpoints = cluster.endpoints
      local rig = assert(M.open(options))
      local got = rig:put("a", "1")
      assert.equal("tls", got.kind, got.text)
      assert.truthy(got.ms < 1500 * proc.patience, got.ms)
      rig:close()
      return got.text
    end

    it("trusts whom it is told to trust", function()
      serve(good)
      local rig = assert(M.open({ endpoints = cluster.endpoints, ca = roots }))
      local got = rig:put("a", "1")
      assert.equal("ok", got.kind, got.text)
      -- https is understood where a CA is given.
      local bare = cluster.endpoints[1]:match("//(.*)")
      rig = assert(M.open({ endpoints = { bare }, ca = roots }))
      assert.equal("ok", rig:put("a", "1").kind)
      expect_tls({ ca = read(other.cert) })
      expect_tls({})
      -- Somebody speaks plainly to a server that does not.
      rig = assert(M.open({ endpoints = { bare }, timeout_ms = 300 }))
      got = rig:put("a", "1")
      assert.not_equal("ok", got.kind)
    end)

    it("trusts no certificate that has expired", function()
      serve(old)
      expect_tls({ ca = roots })
    end)

    it("checks the name, or the one that it is told", function()
      serve(named)
      expect_tls({ ca = roots })
      local rig = assert(M.open({ endpoints = cluster.endpoints, ca = roots, server_name = "etcd.test" }))
      local got = rig:put("a", "1")
      assert.equal("ok", got.kind, got.text)
      expect_tls({ ca = roots, server_name = "other.test" })
    end)

    it("shows its own certificate", function()
      serve(good, { "--client-cert-auth", "--trusted-ca-file", ca.cert })
      local rig = assert(M.open({
        endpoints = cluster.endpoints,
        ca = roots,
        certificate = read(client.cert),
        key = read(client.key),
      }))
      local got = rig:put("a", "1")
      assert.equal("ok", got.kind, got.text)
      -- The server only hangs up on whom it does not trust, and its alert can
      -- be lost to the reset that comes right behind it.
      for _, options in ipairs({
        { ca = roots },
        { ca = roots, certificate = read(stranger.cert), key = read(stranger.key) },
      }) do
        options.endpoints = cluster.endpoints
        local texts, told = {}, false
        for _ = 1, 20 do
          rig = assert(M.open(options))
          got = rig:put("a", "1")
          assert.not_equal("ok", got.kind)
          texts[#texts + 1] = got.kind .. ": " .. got.text
          told = got.text:find("certificate", 1, true) ~= nil
          rig:close()
          if told then
            break
          end
        end
        assert.truthy(told, table.concat(texts, "\n"))
      end
    end)

    it("says so when its own texts are no certificates", function()
      serve(good)
      for _, options in ipairs({
        { ca = "nonsense" },
        { certificate = "nonsense", key = read(client.key) },
        { certificate = read(client.cert), key = "nonsense" },
      }) do
        options.endpoints = cluster.endpoints
        local rig, code, words = M.open(options)
        assert.is_nil(rig)
        assert.equal(tonumber(C.PERI_EINVAL), code)
        assert.truthy(words:find("PEM", 1, true), words)
        assert.is_nil(words:find("nonsense", 1, true))
      end
      local broken = "-----BEGIN CERTIFICATE-----\nbm9uc2Vuc2U=\n-----END CERTIFICATE-----\n"
      expect_tls({ ca = broken })
      expect_tls({ ca = roots, certificate = broken, key = read(client.key) })
    end)
  end)
end)
