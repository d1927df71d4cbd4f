local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/report.h", "registry/status.h" })

--- The fields of a packed message: varints as numbers, bytes as strings, by
--- number, each a list.
local function unpack_message(bytes)
  local at, fields = 1, {}
  local function varint()
    local value, scale = 0, 1
    while true do
      local byte = bytes:byte(at)
      at = at + 1
      value = value + (byte % 128) * scale
      if byte < 128 then
        return value
      end
      scale = scale * 128
    end
  end
  while at <= #bytes do
    local tag = varint()
    local number, value = math.floor(tag / 8), varint()
    if tag % 8 == 2 then
      at, value = at + value, bytes:sub(at, at + value - 1)
    end
    fields[number] = fields[number] or {}
    table.insert(fields[number], value)
  end
  return fields
end

local MS = 1000000ULL

describe("a report of the services", function()
  local services = ffi.new("struct peri_service_status[3]", {
    { name = "a", state = C.PERI_SERVICE_LIVE, current_ns = 900 * MS, revision = 17, endpoints = 4, suspects = 1, invalid = 2 },
    { name = "b", state = C.PERI_SERVICE_STALE, current_ns = 500 * MS, stale_since_ns = 600 * MS, revision = 5, endpoints = 1 },
    { name = "c", state = C.PERI_SERVICE_SYNCING },
  })
  local own = ffi.new("struct peri_own_status[2]", {
    { service = "a", address = "10.0.0.7:7402", state = "registered", reason = "" },
    { service = "b", address = "10.0.0.7:7402", state = "out", reason = "unhealthy" },
  })
  local status = ffi.new("struct peri_registry_status", {
    kind = "etcd", state = "stale", reason = "no answer", trouble = "unreachable", endpoint = "http://h:1",
    taken_ns = 1000 * MS, revision = 18, age_ms = 100, lease = 7000, lease_remaining_ms = 8500,
    services = services, service_count = 3, own = own, own_count = 2,
  })

  local function report(name)
    local buffer = ffi.new("struct peri_buffer")
    assert.equal(0, C.peri_report_services(status, cffi.slice(name or ""), buffer))
    local fields = unpack_message(ffi.string(buffer.ptr, buffer.len))
    C.peri_buffer_done(buffer)
    return fields
  end

  it("says what the registry knows of itself", function()
    local got = report()
    local flat = {}
    for number = 1, 9 do
      flat[number] = got[number][1]
    end
    assert.same({ "etcd", "stale", "no answer", "unreachable", "http://h:1", 18, 100, 7000, 8500 }, flat)
  end)

  it("says how current every service is", function()
    local got = report()[10]
    assert.equal(3, #got)
    assert.same({ { "a" }, { "live" }, { 4 }, { 1 }, { 2 }, { 17 }, { 100 } }, unpack_message(got[1]))
    assert.same({ { "b" }, { "stale" }, { 1 }, [6] = { 5 }, [7] = { 500 }, [8] = { 400 } }, unpack_message(got[2]))
    assert.same({ { "c" }, { "syncing" } }, unpack_message(got[3]))
  end)

  it("says what this sidecar registers", function()
    local got = report()[11]
    assert.same({ { "a" }, { "10.0.0.7:7402" }, { "registered" } }, unpack_message(got[1]))
    assert.same({ { "b" }, { "10.0.0.7:7402" }, { "out" }, { "unhealthy" } }, unpack_message(got[2]))
  end)

  it("is also made for a probe of readiness", function()
    local function text_of(what)
      local buffer = ffi.new("struct peri_buffer")
      assert.equal(0, C.peri_report_text(what, buffer))
      local text = buffer.len > 0 and ffi.string(buffer.ptr, buffer.len) or ""
      C.peri_buffer_done(buffer)
      return text
    end
    assert.equal(
      [[
registry etcd: stale, unreachable, age 0.1 s, revision 18, 5 endpoints, 1 suspect, lease 0000000000001b58 for 8.5 s
b: stale, age 0.5 s
c: syncing, age 0.0 s
b at 10.0.0.7:7402: out, unhealthy
]],
      text_of(status)
    )
    assert.equal("", text_of(ffi.new("struct peri_registry_status", { kind = "static", state = "static" })))
  end)

  it("can be of one service", function()
    local got = report("b")
    assert.equal(1, #got[10])
    assert.equal(1, #got[11])
    assert.same({ "b" }, unpack_message(got[10][1])[1])
    assert.is_nil(report("none")[10])
  end)
end)
