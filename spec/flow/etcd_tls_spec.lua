local certs = require("spec.support.certs")
local discovery = require("spec.support.discovery")
local etcd = require("spec.support.etcd")
local proc = require("spec.support.proc")
local sidecar = require("spec.support.sidecar")

describe("a sidecar and an etcd behind TLS", function()
  local authority, stranger, server, client, expired, foreign

  setup(function()
    discovery.setup()
    local folder = sidecar.folder
    authority = certs.authority(folder, "authority")
    stranger = certs.authority(folder, "stranger")
    server = certs.issue(authority, folder, "server")
    client = certs.issue(authority, folder, "client")
    expired = certs.issue(authority, folder, "expired", { expired = true })
    foreign = certs.issue(stranger, folder, "foreign")
  end)

  after_each(discovery.reset)

  teardown(discovery.teardown)

  --- A cluster with a certificate; `mutual`: clients need one too.
  local function start(with, mutual)
    local flags = { "--cert-file", with.cert, "--key-file", with.key }
    if mutual then
      flags[#flags + 1] = "--client-cert-auth"
      flags[#flags + 1] = "--trusted-ca-file"
      flags[#flags + 1] = authority.cert
    end
    return etcd.start({
      fast = true,
      scheme = "https",
      flags = flags,
      ctl = { "--cacert", authority.cert, "--cert", client.cert, "--key", client.key },
    })
  end

  local function tls(ca, with)
    local text = ("ca = %q"):format(ca.cert)
    if with then
      text = text .. (", certificate = %q, key = %q"):format(with.cert, with.key)
    end
    return text
  end

  local function fails(cluster, registry, words)
    local process = discovery.launch({ endpoints = cluster.endpoints, registry = registry })
    process:await_err(words or "tls", 8000)
    local said = #process.err
    proc.watch(1200)
    assert.is_nil(process.code)
    assert.is_nil(process.out:match("perigee ready"))
    local _, lines = process.err:sub(said + 1):gsub("\n", "")
    assert.truthy(lines <= 2, process.err)
    assert.is_nil(process.err:find("PRIVATE KEY", 1, true))
    process:kill("sigterm")
    assert.equal(0, (process:wait()))
  end

  it("agree when the authority is the right one", function()
    local cluster = start(server)
    local car = discovery.start({ endpoints = cluster.endpoints, registry = tls(authority) })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    cluster:restart()
    car:await_state("live", 5000)
    car:stop()
    assert.same({}, cluster:leases())
  end)

  it("agree when both show certificates", function()
    local cluster = start(server, true)
    local car = discovery.start({ endpoints = cluster.endpoints, registry = tls(authority, client) })
    discovery.await_key(cluster, "GroupCache/" .. car.address)
    car:stop()
  end)

  it("do not agree when the authority is another one", function()
    fails(start(server), tls(stranger))
  end)

  it("do not agree when the server's certificate has expired", function()
    local cluster = etcd.start({ fast = true })
    local member = cluster.members[1]
    -- Its own health page has no TLS, but etcd calls its own gateway with it.
    cluster:kill()
    cluster.scheme, cluster.flags = "https", { "--cert-file", expired.cert, "--key-file", expired.key }
    cluster.endpoints[1] = ("https://127.0.0.1:%d"):format(member.client)
    cluster:restart()
    fails(cluster, tls(authority))
  end)

  it("do not agree when the server wants a certificate and there is none, or a wrong one", function()
    local cluster = start(server, true)
    -- TLS 1.3 tells the client only after its handshake is over, as a connection that ends.
    fails(cluster, tls(authority), "unreachable")
    fails(cluster, tls(authority, foreign), "unreachable")
  end)

  it("do not begin when a file cannot be read", function()
    local process = discovery.launch({ endpoints = { "https://127.0.0.1:1" }, registry = 'ca = "/nonexistent/ca.pem"' })
    process:wait()
    assert.equal(2, process.code, process.err)
    assert.truthy(process.err:find("registry.ca", 1, true), process.err)
  end)
end)
