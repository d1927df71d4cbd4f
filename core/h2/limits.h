#pragma once

#include "base/types.h"

/// What one peer may cost us. Every value can be configured; 0 never means
/// "unlimited" except where it says so.
struct peri_h2_limits {
  uint32_t header_list_bytes;    // decoded request header list; 16 KiB
  uint32_t streams_per_conn;     // concurrent streams we announce; 1,000
  uint32_t conns_per_listener;   // accepted connections; 10,000
  uint32_t stream_window_bytes;  // receive window of a stream; 256 KiB
  uint32_t conn_window_bytes;    // receive window of a connection; 1 MiB
  uint32_t stream_buffer_bytes;  // unsent bytes a stream may hold before it is
                                 // "full"; 256 KiB
  uint32_t conn_buffer_bytes;    // unsent bytes of a connection before reading
                                 // pauses; 4 MiB
  uint32_t message_bytes;        // one gRPC message, decompressed; 4 MiB
  uint32_t
      settings_per_s;  // SETTINGS frames; 32, then GOAWAY ENHANCE_YOUR_CALM
  uint32_t
      pings_per_s;  // PING frames that no HEADERS or DATA of ours preceded; 32
  uint32_t resets_per_s;  // streams the peer resets within 50 ms (rapid reset,
                          // CVE-2023-44487); 200
  uint32_t handshake_ms;  // for preface and SETTINGS (half-open peers); 10 s
  uint32_t idle_ms;       // without any stream; 5 min, 0 for ever
  uint32_t stall_ms;      // a write that makes no progress; 30 s
  uint32_t keepalive_ms;  // our own PING on a quiet connection; 30 s, 0 never
  uint32_t keepalive_timeout_ms;  // its answer; 10 s
};

/// The defaults named above.
struct peri_h2_limits peri_h2_limits_default(void);
