local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "base/error.h", "app/report.h", "cli/services_table.h", "registry/status.h" })

local MS = 1000000ULL

--- What is printed for a status of the registry.
local function print_status(status, services, own, name)
  local held = {
    ffi.new("struct peri_service_status[?]", #services + 1, services),
    ffi.new("struct peri_own_status[?]", #own + 1, own),
  }
  status.services, status.service_count = held[1], #services
  status.own, status.own_count = held[2], #own
  local packed, text = ffi.new("struct peri_buffer"), ffi.new("struct peri_buffer")
  local c_status = ffi.new("struct peri_registry_status", status)
  assert.equal(0, C.peri_report_services(c_status, cffi.slice(name or ""), packed))
  assert.equal(0, C.peri_cli_services_table(C.peri_buffer_slice(packed), name, text))
  local got = ffi.string(text.ptr, text.len)
  C.peri_buffer_done(packed)
  C.peri_buffer_done(text)
  return got
end

local function etcd()
  return {
    kind = "etcd", state = "live", reason = "", trouble = "", endpoint = "http://127.0.0.1:2379",
    taken_ns = 8000000 * MS, revision = 18, age_ms = 250, lease = 0x7abc, lease_remaining_ms = 8540,
  }
end

describe("the table of services", function()
  it("shows what is live", function()
    local got = print_status(etcd(), {
      { name = "GroupCache", state = C.PERI_SERVICE_LIVE, current_ns = 7999750 * MS, revision = 17, endpoints = 3 },
      { name = "a", state = C.PERI_SERVICE_SYNCING },
    }, {
      { service = "GroupCache", address = "10.0.0.7:7402", state = "registered", reason = "" },
      { service = "a", address = "10.0.0.7:7402", state = "out", reason = "the health check fails" },
    })
    assert.equal(
      [[
SERVICE     STATE    ENDPOINTS  SUSPECT  INVALID  REVISION  AGE
GroupCache  live     3          0        0        17        250ms
a           syncing  0          0        0        -         -
registry etcd: live, at http://127.0.0.1:2379, revision 18, age 250ms
lease 7abc: 8.5s left
registered by this sidecar:
  GroupCache  10.0.0.7:7402  registered
  a  10.0.0.7:7402  out: the health check fails
]],
      got
    )
  end)

  it("shows what is stale, suspect and invalid", function()
    local status = etcd()
    status.state, status.reason, status.trouble = "stale", "no member answers", "unreachable"
    status.age_ms, status.lease, status.endpoint = 250000, 0, ""
    local got = print_status(status, {
      { name = "a", state = C.PERI_SERVICE_STALE, current_ns = 7750000 * MS, stale_since_ns = 7751000 * MS, revision = 5,
        endpoints = 4, suspects = 2, invalid = 1 },
      { name = "b", state = C.PERI_SERVICE_STALE, current_ns = 1 * MS, revision = 5 },
    }, {})
    assert.equal(
      [[
SERVICE  STATE  ENDPOINTS  SUSPECT  INVALID  REVISION  AGE
a        stale  4          2        1        5         4m10s
b        stale  0          0        0        5         2h13m
registry etcd: stale, revision 18, age 4m10s: no member answers (unreachable)
lease: none
]],
      got
    )
  end)

  it("has neither revision nor age in a static registry", function()
    local got = print_status(
      { kind = "static", state = "static", reason = "", trouble = "", endpoint = "", taken_ns = 5 * MS },
      { { name = "orders", state = C.PERI_SERVICE_LIVE, current_ns = 5 * MS, endpoints = 1 } },
      {}
    )
    assert.equal(
      [[
SERVICE  STATE  ENDPOINTS  SUSPECT  INVALID  REVISION  AGE
orders   live   1          0        0        -         -
registry static
]],
      got
    )
  end)

  it("says when there is nothing", function()
    local status = etcd()
    status.state = "syncing"
    assert.equal("no service is known\nregistry etcd: syncing, at http://127.0.0.1:2379\nlease 7abc: 8.5s left\n", print_status(status, {}, {}))
    assert.truthy(print_status(status, {}, {}, "orders"):find("^no service orders is known\n"))
  end)

  it("does not let names drive a terminal", function()
    local got = print_status(etcd(), { { name = "a\27[31m\n" .. ("x"):rep(300), state = C.PERI_SERVICE_SYNCING } }, {})
    assert.truthy(got:find("\na?[31m xxx", 1, true), got)
    assert.is_nil(got:find("\27", 1, true))
    assert.is_nil(got:find(("x"):rep(200), 1, true))
  end)

  it("refuses what is no answer", function()
    local text = ffi.new("struct peri_buffer")
    assert.equal(C.PERI_EPROTO, C.peri_cli_services_table(cffi.slice("\255"), nil, text))
    assert.equal(0, tonumber(text.len))
  end)
end)
