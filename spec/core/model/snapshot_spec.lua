local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "model/snapshot.h", "model/peers.h" })

local function peers(service)
  local inits = ffi.new("struct peri_endpoint_init[1]")
  inits[0].address = cffi.slice("10.0.0.1:1")
  local out = ffi.new("struct peri_peers *[1]")
  assert(C.peri_peers_new(service, inits, 1, cffi.slice(""), out, nil) == 0)
  return out[0]
end

local function build(version, services)
  local list = ffi.new("struct peri_peers *[?]", #services + 1)
  for i, service in ipairs(services) do
    list[i - 1] = peers(service)
  end
  local out = ffi.new("struct peri_snapshot *[1]")
  assert(C.peri_snapshot_new(version, list, #services, out) == 0)
  for i = 1, #services do
    C.peri_peers_unref(list[i - 1])
  end
  return ffi.gc(out[0], C.peri_snapshot_unref)
end

local function find(snapshot, name)
  local found = C.peri_snapshot_find(snapshot, cffi.slice(name))
  return found ~= nil and ffi.string(C.peri_peers_service(found)) or nil
end

describe("peri_snapshot", function()
  it("finds services by their exact names", function()
    local snapshot = build(3, { "orders", "GroupCache", "order", "users" })
    assert.equal(3, tonumber(C.peri_snapshot_version(snapshot)))
    assert.equal(4, tonumber(C.peri_snapshot_count(snapshot)))
    for _, name in ipairs({ "orders", "GroupCache", "order", "users" }) do
      assert.equal(name, find(snapshot, name))
    end
    for _, name in ipairs({ "", "a", "orderss", "Orders", "zz", "orders\0" }) do
      assert.is_nil(find(snapshot, name))
    end
  end)

  it("may be empty", function()
    local snapshot = build(1, {})
    assert.is_nil(find(snapshot, "orders"))
    assert.is_true(C.peri_snapshot_at(snapshot, 0) == nil)
  end)

  it("holds its services for as long as it lives", function()
    local snapshot = build(1, { "orders" })
    C.peri_snapshot_ref(snapshot)
    C.peri_snapshot_unref(snapshot)
    local held = C.peri_peers_ref(C.peri_snapshot_at(snapshot, 0))
    ffi.gc(snapshot, nil)
    C.peri_snapshot_unref(snapshot)
    assert.equal("orders", ffi.string(C.peri_peers_service(held)))
    C.peri_peers_unref(held)
  end)
end)
