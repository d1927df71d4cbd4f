#include "model/config_parts.h"

enum { MAX_COUNT = 1000000, MIN_BYTES = 1024, MAX_BYTES = 1 << 30 };

// A limit of the section: where its value goes and what it may be.
struct limit {
  const char *key;
  int64_t *value;
  int64_t min;  // of the value; durations in ms
  enum { LIMIT_BYTES, LIMIT_COUNT, LIMIT_DURATION } kind;
};

static int read_one(const struct peri_config_node *node,
                    const struct limit *limit) {
  uint64_t value = UINT64_MAX;
  int rc = 0;
  if (limit->kind == LIMIT_COUNT) {
    return peri_config_integer(node, limit->key, limit->min, MAX_COUNT,
                               limit->value);
  }
  if (limit->kind == LIMIT_BYTES) {
    rc = peri_config_size(node, limit->key, (uint64_t)limit->min, MAX_BYTES,
                          &value);
  } else {
    rc = peri_config_duration_ms(node, limit->key, limit->min == 0, &value);
  }
  if (rc == 0 && value != UINT64_MAX) {
    struct peri_config_node child;
    if (value > UINT32_MAX && peri_config_member(node, limit->key, &child)) {
      return peri_config_fail(&child, "must be at most 49 days");
    }
    *limit->value = (int64_t)value;
  }
  return rc;
}

int peri_config_read_limits(const struct peri_config_node *root,
                            struct peri_config *config) {
  struct peri_config_limits *to = &config->limits;
  const struct limit limits[] = {
      {"header_list_bytes", &to->header_list_bytes, MIN_BYTES, LIMIT_BYTES},
      {"streams_per_conn", &to->streams_per_conn, 1, LIMIT_COUNT},
      {"conns_per_listener", &to->conns_per_listener, 1, LIMIT_COUNT},
      {"stream_window_bytes", &to->stream_window_bytes, MIN_BYTES, LIMIT_BYTES},
      {"conn_window_bytes", &to->conn_window_bytes, 65535, LIMIT_BYTES},
      {"stream_buffer_bytes", &to->stream_buffer_bytes, MIN_BYTES, LIMIT_BYTES},
      {"conn_buffer_bytes", &to->conn_buffer_bytes, MIN_BYTES, LIMIT_BYTES},
      {"message_bytes", &to->message_bytes, MIN_BYTES, LIMIT_BYTES},
      {"settings_per_s", &to->settings_per_s, 1, LIMIT_COUNT},
      {"pings_per_s", &to->pings_per_s, 1, LIMIT_COUNT},
      {"resets_per_s", &to->resets_per_s, 1, LIMIT_COUNT},
      {"handshake", &to->handshake_ms, 1, LIMIT_DURATION},
      {"idle", &to->idle_ms, 0, LIMIT_DURATION},
      {"stall", &to->stall_ms, 1, LIMIT_DURATION},
      {"keepalive", &to->keepalive_ms, 0, LIMIT_DURATION},
      {"keepalive_timeout", &to->keepalive_timeout_ms, 1, LIMIT_DURATION}};
  enum { COUNT = sizeof limits / sizeof *limits };
  const char *keys[COUNT];
  struct peri_config_node node;
  if (!peri_config_member(root, "limits", &node)) {
    return 0;
  }
  for (size_t i = 0; i < COUNT; i++) {
    keys[i] = limits[i].key;
  }
  int rc = peri_config_expect(&node, keys, COUNT, NULL, 0);
  for (size_t i = 0; rc == 0 && i < COUNT; i++) {
    rc = read_one(&node, &limits[i]);
  }
  return rc;
}
