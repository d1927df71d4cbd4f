#include "h2/limits.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

struct peri_h2_limits peri_h2_limits_default(void) {
  struct peri_h2_limits limits = {
      .header_list_bytes = 16 * KIB,
      .streams_per_conn = 1000,
      .conns_per_listener = 10000,
      .stream_window_bytes = 256 * KIB,
      .conn_window_bytes = 1 * MIB,
      .stream_buffer_bytes = 256 * KIB,
      .conn_buffer_bytes = 4 * MIB,
      .message_bytes = 4 * MIB,
      .settings_per_s = 32,
      .pings_per_s = 32,
      .resets_per_s = 200,
      .handshake_ms = 10000,
      .idle_ms = 300000,
      .stall_ms = 30000,
      .keepalive_ms = 30000,
      .keepalive_timeout_ms = 10000,
  };
  return limits;
}
