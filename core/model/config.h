#pragma once

#include "base/error.h"
#include "base/json.h"
#include "base/types.h"
#include "model/policy.h"

/// Limits of the HTTP/2 side as configured: a copy of names in h2/limits.h,
/// which this room cannot include; in the section `limits`, durations are
/// written without `_ms`, as "10s". A field that the configuration does not
/// name holds -1.
struct peri_config_limits {
  int64_t header_list_bytes, streams_per_conn, conns_per_listener;
  int64_t stream_window_bytes, conn_window_bytes;
  int64_t stream_buffer_bytes, conn_buffer_bytes, message_bytes;
  int64_t settings_per_s, pings_per_s, resets_per_s;
  int64_t handshake_ms, idle_ms, stall_ms, keepalive_ms, keepalive_timeout_ms;
};

/// What one policy on one worker may use: `limits` of the section `policies`.
struct peri_config_policies {
  // Processor time of one call; of a fetch, between two waits.
  uint64_t pick_ns;       // 1 ms
  uint64_t update_ns;     // 5 ms
  uint64_t fetch_ns;      // 5 ms
  uint64_t load_ns;       // 20 ms: loading the file, or new()
  uint64_t instructions;  // 500,000 in a pick; 10 times it in update and fetch,
                          // 40 times while loading
  uint64_t memory_bytes;  // 8 MiB
  uint32_t requests;      // 2,048 open at a time, as many as fetches
  uint32_t timers;        // 2,048 running at a time
  uint32_t coroutines;    // 256 that have not ended
  uint32_t failures;      // 10 of them within …
  uint64_t window_ms;     // … 10,000 switch the policy off for …
  uint64_t pause_ms;      // … 30,000
};

/// Fills in what a configuration without `limits` allows.
void peri_config_policies_defaults(struct peri_config_policies *policies);

struct peri_route;

/// A group of the cache.
struct peri_config_group {
  const char *name;
  uint64_t bytes;            // 64 MiB
  uint32_t shards;           // 16
  int64_t ttl_ns;            // 0: values do not expire
  int64_t negative_ttl_ns;   // 0: not-found is not remembered; 1 s by default
  uint64_t peer_timeout_ms;  // 1,000
  uint64_t load_timeout_ms;  // 30,000: a load's own limit
  /// Options of `{ "NAME", …, key = … }` are an object of the named ones and of
  /// what follows the name in the list, as "2", "3" ….
  struct peri_policy_ref picker;    // "ring_crc32"
  struct peri_policy_ref fallback;  // name NULL: no origin, a miss is NOT_FOUND
};

/// An endpoint of a service, as a registry of kind "static" or a route names
/// it.
struct peri_config_endpoint {
  const char *address;
  const char *zone;
  uint32_t weight;
  struct peri_json *metadata;
};

/// A service of a registry of kind "static".
struct peri_config_service {
  const char *name;
  const struct peri_config_endpoint *endpoints;
  size_t endpoint_count;
};

/// A registry of kind "etcd". Certificates and secrets are texts, read when the
/// configuration is.
struct peri_config_etcd {
  const char *const *endpoints;  // at least one
  size_t endpoint_count;
  uint32_t ttl_s;           // 10; at least 5
  const char *prefix;       // ""
  const char *user;         // NULL: none
  const char *password;     // NULL: none
  const char *ca;           // PEM; NULL: the system's
  const char *certificate;  // PEM; NULL: none
  const char *key;          // PEM; NULL: none
  const char *server_name;  // NULL: the endpoint's host
  uint64_t timeout_ms;      // 2,000
  uint64_t propagation_ms;  // 1,000: between deregistering and draining
  uint64_t audit_ms;        // 15,000 ± 50 %: comparing what is known with etcd
  uint64_t forget_ms;       // 600,000: from the last use of a name only called
};

/// A service of the local application.
struct peri_config_provide {
  const char *service;
  const char *address;         // where the application listens
  uint32_t weight;             // node.weight
  const char *version;         // ""
  const char *health;          // "grpc", "tcp" (the default), "none"
  struct peri_json *metadata;  // an object, or NULL
};

/// A whole configuration: immutable, reference-counted, checked.
struct peri_config {
  const char *file;  // "" when it did not come from one
  uint32_t workers;  // 0: the CPUs this process may use
  /// What others dial; where mesh listens when that is one address and port;
  /// else NULL when not set.
  const char *node_address;
  const char *node_zone;    // ""
  uint32_t node_weight;     // 1
  const char *listen_app;   // NULL: off
  const char *listen_mesh;  // NULL: off (the default without peers)
  const char *listen_admin;
  // Listeners whose calls are explained when their header asks for it.
  bool explain_app;           // true
  bool explain_mesh;          // false
  const char *registry_kind;  // "static" or "etcd"
  struct peri_config_etcd etcd;
  const struct peri_config_provide *provides;
  size_t provide_count;
  const char *cluster;  // "GroupCache"
  const struct peri_config_service *services;
  size_t service_count;
  const struct peri_config_group *groups;
  size_t group_count;
  const struct peri_route *routes;
  size_t route_count;
  struct peri_policy_ref balancer;  // "p2c_ewma": for what no route names
  const char *const *policy_paths;  // absolute
  size_t policy_path_count;
  struct peri_config_policies policies;
  const char *const *files;  // folders, absolute
  size_t file_count;
  uint64_t drain_ms;
  struct peri_config_limits limits;
};

/// Checks a configuration given as a JSON tree (a Lua table with both named and
/// numbered entries becomes an object whose numbered keys are "1", "2" …) and
/// builds it. Relative paths are taken from the folder of `file`. `source` is
/// the file's text, used only to name the line of a wrong key.
/// @return 0, PERI_ENOMEM, or PERI_ECONFIG with words such as
///   `perigee.lua:7: groups.scores.tll: unknown key; did you mean "ttl"?`.
int peri_config_build(const char *file, struct peri_slice source,
                      const struct peri_json *tree,
                      struct peri_config **ret_config,
                      struct peri_problem *ret_problem);
/// One reference more, or less (NULL: no-op). Any thread.
struct peri_config *peri_config_ref(struct peri_config *config);
void peri_config_unref(struct peri_config *config);

/// Calls `tell` for every folder in `policies.path` and `files` that is not
/// there (blocking): it may come later, but is more often a slip.
void peri_config_absent(const struct peri_config *config,
                        void (*tell)(void *ctx, const char *key,
                                     const char *folder),
                        void *ctx);

/// The endpoints of a service by name, or NULL.
const struct peri_config_service *peri_config_service(
    const struct peri_config *config, struct peri_slice name);
