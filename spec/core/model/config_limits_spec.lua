local support = require("spec.core.model.config_support")

describe("the limits of a configuration", function()
  it("are read by name", function()
    local limits = support.build([[return { limits = { header_list_bytes = "32KiB", streams_per_conn = 5, message_bytes = "1MiB",
      resets_per_s = 9, handshake = "2s", idle = 0, keepalive_timeout = "1500us" } }]]).limits
    assert.equal(32768, tonumber(limits.header_list_bytes))
    assert.equal(5, tonumber(limits.streams_per_conn))
    assert.equal(1048576, tonumber(limits.message_bytes))
    assert.equal(9, tonumber(limits.resets_per_s))
    assert.equal(2000, tonumber(limits.handshake_ms))
    assert.equal(0, tonumber(limits.idle_ms))
    assert.equal(2, tonumber(limits.keepalive_timeout_ms))
    assert.equal(-1, tonumber(limits.pings_per_s))
  end)

  it("are checked", function()
    local at = "configuration:1: limits."
    support.fails("return { limits = { streams_per_conn = 0 } }", at .. "streams_per_conn: must be 1 to 1000000, not 0")
    support.fails("return { limits = { stall = 0 } }", at .. "stall: must be more than 0")
    support.fails("return { limits = { idle = '9000h' } }", at .. "idle: must be at most 49 days")
    support.fails("return { limits = { message_bytes = 10 } }", at .. "message_bytes: must be 1024 to 1073741824 bytes, not 10")
    support.fails("return { limits = { idle_ms = 1 } }", at .. 'idle_ms: unknown key; did you mean "idle"?')
  end)
end)
