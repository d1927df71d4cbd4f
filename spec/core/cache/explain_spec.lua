local cffi = require("spec.support.ffi")
local support = require("spec.core.cache.mesh_support")
local C, ffi = cffi.load({ "base/error.h", "cache/explain_shim.h" })

describe("cache/explain", function()
  local mesh
  after_each(function()
    mesh:free()
  end)

  --- What `write` puts into a buffer, without times; nil and a code.
  local function written(write)
    local text = ffi.new("struct peri_buffer")
    local code = write(text) or 0
    local words = text.len > 0 and ffi.string(text.ptr, text.len) or ""
    C.peri_buffer_done(text)
    if code < 0 then
      return nil, code
    end
    return (words:gsub("[%d.]+ [um]?s%f[%A]", "T"))
  end

  local function explain(key, options)
    options = options or {}
    return written(function(text)
      return C.peri_shim_mesh_explain(mesh.handle, options.node or 0, cffi.slice(options.group or "scores"), cffi.slice(key), text)
    end)
  end

  --- The lines of both nodes, in the order of addresses, when `owner` is chosen, as node 0 sees them.
  local function candidates(owner)
    local lines = {}
    for node = 0, 1 do
      lines[node + 1] = ("    %s  weight 1%s%s\n"):format(mesh:address(node), node == 0 and "  this sidecar" or "", node == owner and "  chosen" or "")
    end
    table.sort(lines)
    return table.concat(lines)
  end

  local function decisions()
    return written(function(text)
      C.peri_shim_mesh_decisions(mesh.handle, 0, text)
    end)
  end

  it("tells what a Get does when there is no other sidecar", function()
    mesh = support.mesh({ groups = '{"scores":{"fallback":"fake","ttl":"60s"},"bare":{}}', peers = false })
    local alone = "  no other sidecar is known, so the key is its own: "
    assert.equal('group scores, key "Tom"\n  not in the cache here\n' .. alone .. "a Get loads it by fallback fake\n", explain("Tom"))
    mesh:get("Tom")
    assert.equal('group scores, key "Tom"\n  in the cache here, for another T\n' .. alone .. "a Get answers from the cache\n", explain("Tom"))
    mesh:get("missing")
    assert.truthy(explain("missing"):find("known to have no value, for another T\n" .. alone .. "a Get answers NOT_FOUND from the cache\n", 1, true))
    assert.truthy(explain("x", { group = "bare" }):find("a Get answers NOT_FOUND: the group has no fallback\n", 1, true))
    mesh:call("Set", support.request("bare", "x", "1"))
    assert.truthy(explain("x", { group = "bare" }):find("in the cache here, for ever\n", 1, true))
    local _, code = explain("x", { group = "none" })
    assert.equal(C.PERI_ENOTFOUND, code)
  end)

  it("tells who owns a key, and who says so", function()
    mesh = support.mesh({ nodes = 2, groups = '{"scores":{"fallback":"fake"},"bare":{}}' })
    mesh:owner(1)
    assert.equal(
      'group scores, key "Tom"\n  not in the cache here\n'
        .. ("  picker ring_crc32 version 1 chose %s in T\n"):format(mesh:address(1))
        .. candidates(1)
        .. ("  a Get asks the owner %s; if that fails, fallback fake\n"):format(mesh:address(1)),
      explain("Tom")
    )
    assert.truthy(explain("Tom", { group = "bare" }):find(("  a Get asks the owner %s\n"):format(mesh:address(1)), 1, true))
    assert.truthy(explain("Tom", { node = 1 }):find("  this sidecar owns it: a Get loads it by fallback fake\n", 1, true))
    assert.equal(0, mesh:fetches(0) + mesh:fetches(1))
  end)

  it("tells that the picker did not say", function()
    mesh = support.mesh({ nodes = 2 })
    for owner, words in pairs({ [C.SHIM_OWNER_RING] = "it failed", [C.SHIM_OWNER_NONSENSE] = "it failed" }) do
      mesh:owner(owner)
      local said = explain("Tom")
      assert.truthy(said:find("  the built-in ring chose 127.0.0.1:", 1, true), said)
      assert.truthy(said:find("  the policy did not say: ring_crc32: " .. words .. "\n", 1, true), said)
    end
  end)

  it("keeps what Gets decide, and trouble always", function()
    mesh = support.mesh({ nodes = 2 })
    mesh:owner(0)
    mesh:get("Tom")
    local kept = decisions()
    assert.truthy(kept:find('^group scores, key "Tom"\n  not in the cache here\n'), kept)
    C.peri_shim_mesh_no_ordinary(mesh.handle, 0)
    mesh:get("Ann")
    assert.equal(kept, decisions())
    mesh:owner(C.SHIM_OWNER_RING)
    mesh:get("Eve")
    assert.truthy(decisions():find('key "Eve"', 1, true), decisions())
    mesh:set("Bob", "1")
    assert.truthy(decisions():find('key "Bob"\n.-: a Set stores it here\n') or decisions():find('key "Bob"\n.-\n  a Set goes to '), decisions())
  end)

  it("tells what is done with a key, whatever it is", function()
    mesh = support.mesh({ nodes = 2 })
    local request = support.request("scores", "Tom", "1")
    local function last(method, hop)
      mesh:call(method, request, { worker = hop and -1 or nil, hop = hop })
      return decisions():match("([^\n]*)\n$")
    end
    mesh:owner(1)
    assert.equal("  a Set goes to the owner " .. mesh:address(1), last("Set"))
    assert.equal("  a Remove goes to the owner " .. mesh:address(1), last("Remove"))
    assert.equal("  another sidecar asks, so it ends here: a Set stores it here", last("Set", true))
    assert.equal("  a Peek answers with it", last("Peek"))
    assert.equal("  another sidecar asks, so it ends here: a Remove drops it here", last("Remove", true))
    assert.equal("  a Peek answers NOT_FOUND, and looks no further", last("Peek"))
    assert.truthy(decisions():find('group scores, key "Tom"\n  not in the cache here\n  a Peek', 1, true))
    mesh:owner(0)
    assert.equal("  this sidecar owns it: a Set stores it here", last("Set"))
    assert.equal("  this sidecar owns it: a Remove drops it here", last("Remove"))
  end)

  it("knows a Get that another sidecar passed on", function()
    mesh = support.mesh({ nodes = 2 })
    mesh:owner(1)
    mesh:get("Tom", { worker = -1, hop = true })
    assert.truthy(decisions():find("  another sidecar asks, so it ends here: a Get loads it by fallback fake\n", 1, true), decisions())
  end)
end)
