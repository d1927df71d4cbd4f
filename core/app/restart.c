#include "app/restart.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "model/config.h"

enum kind { TEXT, U32, U64, I64 };

struct field {
  const char *name;
  enum kind kind;
  size_t offset;
};

static const struct field fields[] = {
    {"workers", U32, offsetof(struct peri_config, workers)},
    {"node.address", TEXT, offsetof(struct peri_config, node_address)},
    {"node.zone", TEXT, offsetof(struct peri_config, node_zone)},
    {"node.weight", U32, offsetof(struct peri_config, node_weight)},
    {"listen.app", TEXT, offsetof(struct peri_config, listen_app)},
    {"listen.mesh", TEXT, offsetof(struct peri_config, listen_mesh)},
    {"listen.admin", TEXT, offsetof(struct peri_config, listen_admin)},
    {"cluster", TEXT, offsetof(struct peri_config, cluster)},
    {"registry.kind", TEXT, offsetof(struct peri_config, registry_kind)},
    {"registry.ttl", U32, offsetof(struct peri_config, etcd.ttl_s)},
    {"registry.prefix", TEXT, offsetof(struct peri_config, etcd.prefix)},
    {"registry.user", TEXT, offsetof(struct peri_config, etcd.user)},
    {"registry.password", TEXT, offsetof(struct peri_config, etcd.password)},
    {"registry.ca", TEXT, offsetof(struct peri_config, etcd.ca)},
    {"registry.certificate", TEXT,
     offsetof(struct peri_config, etcd.certificate)},
    {"registry.key", TEXT, offsetof(struct peri_config, etcd.key)},
    {"registry.server_name", TEXT,
     offsetof(struct peri_config, etcd.server_name)},
    {"registry.timeout", U64, offsetof(struct peri_config, etcd.timeout_ms)},
    {"registry.propagation", U64,
     offsetof(struct peri_config, etcd.propagation_ms)},
    {"registry.audit", U64, offsetof(struct peri_config, etcd.audit_ms)},
    {"registry.forget", U64, offsetof(struct peri_config, etcd.forget_ms)},
    {"limits.header_list_bytes", I64,
     offsetof(struct peri_config, limits.header_list_bytes)},
    {"limits.streams_per_conn", I64,
     offsetof(struct peri_config, limits.streams_per_conn)},
    {"limits.conns_per_listener", I64,
     offsetof(struct peri_config, limits.conns_per_listener)},
    {"limits.stream_window_bytes", I64,
     offsetof(struct peri_config, limits.stream_window_bytes)},
    {"limits.conn_window_bytes", I64,
     offsetof(struct peri_config, limits.conn_window_bytes)},
    {"limits.stream_buffer_bytes", I64,
     offsetof(struct peri_config, limits.stream_buffer_bytes)},
    {"limits.conn_buffer_bytes", I64,
     offsetof(struct peri_config, limits.conn_buffer_bytes)},
    {"limits.message_bytes", I64,
     offsetof(struct peri_config, limits.message_bytes)},
    {"limits.settings_per_s", I64,
     offsetof(struct peri_config, limits.settings_per_s)},
    {"limits.pings_per_s", I64,
     offsetof(struct peri_config, limits.pings_per_s)},
    {"limits.resets_per_s", I64,
     offsetof(struct peri_config, limits.resets_per_s)},
    {"limits.handshake", I64,
     offsetof(struct peri_config, limits.handshake_ms)},
    {"limits.idle", I64, offsetof(struct peri_config, limits.idle_ms)},
    {"limits.stall", I64, offsetof(struct peri_config, limits.stall_ms)},
    {"limits.keepalive", I64,
     offsetof(struct peri_config, limits.keepalive_ms)},
    {"limits.keepalive_timeout", I64,
     offsetof(struct peri_config, limits.keepalive_timeout_ms)},
};

static bool same_text(const char *a, const char *b) {
  return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool same(const struct field *field, const struct peri_config *a,
                 const struct peri_config *b) {
  const char *at = (const char *)a + field->offset;
  const char *bt = (const char *)b + field->offset;
  switch (field->kind) {
    case TEXT: {
      const char *x, *y;
      memcpy(&x, at, sizeof(x));
      memcpy(&y, bt, sizeof(y));
      return same_text(x, y);
    }
    case U32:
      return memcmp(at, bt, sizeof(uint32_t)) == 0;
    case U64:
    case I64:
    default:
      return memcmp(at, bt, sizeof(uint64_t)) == 0;
  }
}

static bool same_endpoints(const struct peri_config_etcd *a,
                           const struct peri_config_etcd *b) {
  bool equal = a->endpoint_count == b->endpoint_count;
  for (size_t i = 0; equal && i < a->endpoint_count; i++) {
    equal = strcmp(a->endpoints[i], b->endpoints[i]) == 0;
  }
  return equal;
}

/// A value that is not written follows from others (without peers the mesh
/// does not listen): it is the start's, and is no reason to refuse them.
static bool is_written(const struct peri_setup *setup, const char *name) {
  char section[32];
  const char *dot = strchr(name, '.');
  if (dot == NULL) {
    return peri_json_get(setup->tree, name) != NULL;
  }
  snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
  const struct peri_json *json = peri_json_get(setup->tree, section);
  return peri_json_type(json) == PERI_JSON_OBJECT &&
         peri_json_get(json, dot + 1) != NULL;
}

static void add(const char *name, char *names, size_t capacity) {
  size_t len = strlen(names);
  snprintf(names + len, capacity - len, "%s%s", len > 0 ? ", " : "", name);
}

bool peri_restart_names(const struct peri_setup *before,
                        const struct peri_setup *after, char *ret_names,
                        size_t capacity) {
  const struct peri_config *a = before->config;
  const struct peri_config *b = after->config;
  ret_names[0] = '\0';
  for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
    const char *name = fields[i].name;
    if (!same(&fields[i], a, b) &&
        (is_written(before, name) || is_written(after, name))) {
      add(name, ret_names, capacity);
    }
  }
  if (!same_endpoints(&a->etcd, &b->etcd)) {
    add("registry.endpoints", ret_names, capacity);
  }
  return ret_names[0] != '\0';
}
