local M = require("spec.core.etcd.rig")
local proc = require("spec.support.proc")
local C, ffi = M.C, M.ffi

ffi.cdef([[
int peri_etcd_endpoint_parse(const char *text, char *ret_target, size_t capacity, int *ret_tls);
void peri_etcd_endpoint_well(struct peri_etcd *etcd, int endpoint);
]])

describe("etcd/endpoints", function()
  after_each(function()
    M.close_all()
  end)

  it("reads endpoints as people write them", function()
    local target, tls = ffi.new("char[300]"), ffi.new("int[1]")
    for text, want in pairs({
      ["http://127.0.0.1:2379"] = { "127.0.0.1:2379", 0 },
      ["https://etcd.example:2379/"] = { "etcd.example:2379", 1 },
      ["http://[::1]:2379"] = { "[::1]:2379", 0 },
      ["etcd-1:2379"] = { "etcd-1:2379", -1 },
      ["unix:/run/etcd.sock"] = { "unix:/run/etcd.sock", -1 },
    }) do
      assert.equal(0, C.peri_etcd_endpoint_parse(text, target, 300, tls), text)
      assert.same(want, { ffi.string(target), tls[0] })
    end
    for _, text in ipairs({
      "", "http://", "https:///", "http://host", "host", "ftp://host:1", "http://host:0", "host:0", "host:99999",
      "http://host:2379/path", "http://a:1,http://b:2", "http://user:pass@host:1", "http://unix:/run/x", "http:/host:1",
      "unix:",
    }) do
      assert.equal(tonumber(C.PERI_EINVAL), C.peri_etcd_endpoint_parse(text, target, 300, tls), text)
    end
  end)

  local function three()
    local endpoints = {}
    for i = 1, 3 do
      endpoints[i] = "http://127.0.0.1:" .. proc.free_port()
    end
    return assert(M.open({ endpoints = endpoints })), endpoints
  end

  it("keeps them as they were written", function()
    local rig, endpoints = three()
    assert.equal(3, tonumber(C.peri_etcd_endpoint_count(rig.etcd)))
    for i = 0, 2 do
      assert.equal(endpoints[i + 1], ffi.string(C.peri_etcd_endpoint_name(rig.etcd, i)))
    end
  end)

  it("prefers others while one is suspect", function()
    local rig = three()
    local first = C.peri_etcd_endpoint_best(rig.etcd, -1)
    assert.equal(first, C.peri_etcd_endpoint_best(rig.etcd, -1))
    local second = C.peri_etcd_endpoint_best(rig.etcd, first)
    assert.not_equal(first, second)
    C.peri_etcd_endpoint_suspect(rig.etcd, first)
    assert.equal(second, C.peri_etcd_endpoint_best(rig.etcd, -1))
    C.peri_etcd_endpoint_suspect(rig.etcd, second)
    local third = C.peri_etcd_endpoint_best(rig.etcd, -1)
    assert.same({ 0 + 1 + 2 }, { first + second + third })
    -- All suspect: the one that failed longest ago.
    C.peri_etcd_endpoint_suspect(rig.etcd, third)
    assert.equal(first, C.peri_etcd_endpoint_best(rig.etcd, -1))
    assert.equal(second, C.peri_etcd_endpoint_best(rig.etcd, first))
    -- The one that answers is stayed with, also when the first is well again.
    C.peri_etcd_endpoint_well(rig.etcd, third)
    assert.equal(third, C.peri_etcd_endpoint_best(rig.etcd, -1))
    C.peri_etcd_endpoint_well(rig.etcd, first)
    assert.equal(third, C.peri_etcd_endpoint_best(rig.etcd, -1))
  end)

  it("forgets a suspicion after a while, later each time", function()
    local rig = three()
    local first = C.peri_etcd_endpoint_best(rig.etcd, -1)
    for _, least in ipairs({ 900, 1900 }) do
      local started = require("luv").hrtime()
      C.peri_etcd_endpoint_suspect(rig.etcd, first)
      rig:await("the end of a suspicion", function()
        return C.peri_etcd_endpoint_best(rig.etcd, -1) == first
      end)
      assert.truthy((require("luv").hrtime() - started) / 1e6 > least)
    end
  end)

  it("answers with the only one there is", function()
    local rig = assert(M.open({ endpoints = { "127.0.0.1:1" } }))
    C.peri_etcd_endpoint_suspect(rig.etcd, 0)
    assert.equal(0, C.peri_etcd_endpoint_best(rig.etcd, -1))
    assert.equal(0, C.peri_etcd_endpoint_best(rig.etcd, 0))
  end)

  it("spreads sessions over the members", function()
    local seen, endpoints = {}, { "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3" }
    for _ = 1, 40 do
      local rig = assert(M.open({ endpoints = endpoints }))
      seen[C.peri_etcd_endpoint_best(rig.etcd, -1)] = true
      rig:close()
    end
    assert.same({ [0] = true, true, true }, seen)
  end)
end)
