local cffi = require("spec.support.ffi")
local C, ffi = cffi.load({ "app/limits.h", "model/config.h" })

describe("limits", function()
  local function unset()
    local config = ffi.new("struct peri_config_limits")
    local fields = ffi.cast("int64_t *", config)
    for i = 0, ffi.sizeof(config) / 8 - 1 do
      fields[i] = -1
    end
    return config
  end

  it("are the defaults where the configuration says nothing", function()
    local got, defaults = C.peri_limits_of(unset()), C.peri_h2_limits_default()
    assert.equal(16384, got.header_list_bytes)
    assert.equal(ffi.string(defaults, ffi.sizeof(defaults)), ffi.string(got, ffi.sizeof(got)))
  end)

  it("are all taken over", function()
    local config = unset()
    local names = {
      "header_list_bytes", "streams_per_conn", "conns_per_listener", "stream_window_bytes", "conn_window_bytes",
      "stream_buffer_bytes", "conn_buffer_bytes", "message_bytes", "settings_per_s", "pings_per_s", "resets_per_s",
      "handshake_ms", "idle_ms", "stall_ms", "keepalive_ms", "keepalive_timeout_ms",
    }
    assert.equal(ffi.sizeof(config) / 8, #names)
    assert.equal(ffi.sizeof("struct peri_h2_limits") / 4, #names)
    for i, name in ipairs(names) do
      config[name] = i
    end
    local got = C.peri_limits_of(config)
    for i, name in ipairs(names) do
      assert.equal(i, got[name], name)
    end
  end)

  it("keep zero, and cut what does not fit", function()
    local config = unset()
    config.idle_ms = 0
    config.conn_buffer_bytes = 2 ^ 40
    local got = C.peri_limits_of(config)
    assert.equal(0, got.idle_ms)
    assert.equal(2 ^ 32 - 1, got.conn_buffer_bytes)
  end)
end)
