#include "app/limits.h"

#include "model/config.h"

static void take(uint32_t *limit, int64_t configured) {
  if (configured >= 0) {
    *limit = configured > UINT32_MAX ? UINT32_MAX : (uint32_t)configured;
  }
}

struct peri_h2_limits peri_limits_of(const struct peri_config_limits *config) {
  struct peri_h2_limits limits = peri_h2_limits_default();
  take(&limits.header_list_bytes, config->header_list_bytes);
  take(&limits.streams_per_conn, config->streams_per_conn);
  take(&limits.conns_per_listener, config->conns_per_listener);
  take(&limits.stream_window_bytes, config->stream_window_bytes);
  take(&limits.conn_window_bytes, config->conn_window_bytes);
  take(&limits.stream_buffer_bytes, config->stream_buffer_bytes);
  take(&limits.conn_buffer_bytes, config->conn_buffer_bytes);
  take(&limits.message_bytes, config->message_bytes);
  take(&limits.settings_per_s, config->settings_per_s);
  take(&limits.pings_per_s, config->pings_per_s);
  take(&limits.resets_per_s, config->resets_per_s);
  take(&limits.handshake_ms, config->handshake_ms);
  take(&limits.idle_ms, config->idle_ms);
  take(&limits.stall_ms, config->stall_ms);
  take(&limits.keepalive_ms, config->keepalive_ms);
  take(&limits.keepalive_timeout_ms, config->keepalive_timeout_ms);
  return limits;
}
