local cffi = require("spec.support.ffi")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local rpc = require("spec.support.rpc")
local C = cffi.load({ "base/error.h" })

describe("a channel", function()
  teardown(rpc.close_all)

  it("refuses a target that is no address", function()
    for _, target in ipairs({ "", "nowhere", "host:", ":1", "unix:", "127.0.0.1:99999" }) do
      local channel, code, words = rpc.open(target)
      assert.is_nil(channel)
      assert.equal(tonumber(C.PERI_EINVAL), code)
      assert.truthy(words:find("host:port", 1, true), words)
    end
  end)

  it("refuses pings that etcd would punish", function()
    local _, code, words = rpc.open("127.0.0.1:1", nil, { keepalive_ms = 5000 })
    assert.equal(tonumber(C.PERI_EINVAL), code)
    assert.truthy(words:find("6000", 1, true), words)
    assert.truthy(rpc.open("127.0.0.1:1", nil, { keepalive_ms = 6000 }))
  end)

  it("refuses a certificate without its key", function()
    local _, code, words = rpc.open("127.0.0.1:1", { certificate = "x" })
    assert.equal(tonumber(C.PERI_EINVAL), code)
    assert.truthy(words:find("together", 1, true), words)
  end)

  it("is nothing when it was never made", function()
    C.peri_rpc_channel_free(nil)
  end)

  describe("over TLS", function()
    local folder, server

    local function read(name)
      local file = assert(io.open(folder .. "/" .. name))
      local text = file:read("*a")
      file:close()
      return text
    end

    local function openssl(...)
      local done = proc.run("/usr/bin/openssl", { ... })
      assert.equal(0, done.code, done.err)
    end

    setup(function()
      folder = proc.folder()
      for _, name in ipairs({ "ca", "other" }) do
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=" .. name,
          "-keyout", folder .. "/" .. name .. ".key", "-out", folder .. "/" .. name .. ".pem")
      end
      local names = folder .. "/names"
      local file = assert(io.open(names, "w"))
      file:write("subjectAltName=IP:127.0.0.1,DNS:etcd.example\n")
      file:close()
      for _, name in ipairs({ "server", "client" }) do
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" .. name, "-keyout", folder .. "/" .. name .. ".key",
          "-out", folder .. "/" .. name .. ".csr")
        openssl("x509", "-req", "-days", "1", "-in", folder .. "/" .. name .. ".csr", "-CA", folder .. "/ca.pem",
          "-CAkey", folder .. "/ca.key", "-CAcreateserial", "-extfile", names, "-out", folder .. "/" .. name .. ".pem")
      end
      server = etcd.start({
        scheme = "https",
        flags = {
          "--cert-file", folder .. "/server.pem", "--key-file", folder .. "/server.key",
          "--client-cert-auth", "--trusted-ca-file", folder .. "/ca.pem",
        },
        ctl = { "--cacert", folder .. "/ca.pem", "--cert", folder .. "/client.pem", "--key", folder .. "/client.key" },
      })
    end)

    teardown(function()
      if server then
        server:stop()
      end
    end)

    local function status(tls, target)
      local channel = assert(rpc.open(target or server.endpoints[1]:match("//(.*)"), tls))
      local _, got, _, words = rpc.call(channel, rpc.health, "", 5000)
      return got, words
    end

    it("calls with a certificate, and knows the server by its authority", function()
      local pair = { roots = read("ca.pem"), certificate = read("client.pem"), key = read("client.key") }
      assert.equal(0, (status(pair)))
      pair.server_name = "etcd.example"
      assert.equal(0, (status(pair)))
      pair.server_name = "elsewhere.example"
      assert.equal(14, (status(pair)))
    end)

    it("refuses a server of another authority", function()
      local got, words = status({ roots = read("other.pem"), certificate = read("client.pem"), key = read("client.key") })
      assert.equal(14, got, words)
    end)

    it("is refused without a certificate", function()
      assert.equal(14, (status({ roots = read("ca.pem") })))
    end)
  end)

  it("can be waited for until nothing of it is left", function()
    rpc.close_all()
    local ffi = require("ffi")
    local got, problem = ffi.new("struct peri_rpc_channel *[1]"), ffi.new("struct peri_problem")
    local options = ffi.new("struct peri_rpc_channel_options")
    local target = "127.0.0.1:9"
    options.target = cffi.slice(target)
    assert.equal(0, C.peri_rpc_channel_new(options, got, problem))
    local _, status = rpc.call(got[0], rpc.health, "", 2000)
    assert.equal(14, status)
    assert.is_true(C.peri_rpc_channel_settle(got[0], 5000))
    assert.is_true(C.peri_rpc_channel_settle(nil, 0))
  end)
end)
