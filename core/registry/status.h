#pragma once

#include "base/types.h"

/// How a service is known.
enum peri_service_state {
  PERI_SERVICE_SYNCING = 0,  // never read yet
  PERI_SERVICE_LIVE = 1,     // read, and its watch is confirmed
  PERI_SERVICE_STALE = 2     // last known; etcd cannot be asked
};

struct peri_service_status {
  const char *name;
  enum peri_service_state state;
  uint64_t stale_since_ns;  // monotonic; 0 when not stale
  uint64_t current_ns;      // monotonic: when it was last known to be current
  int64_t revision;         // the last one applied
  size_t endpoints;         // suspects among them
  size_t suspects;
  size_t invalid;  // records that could not be read
  bool kept;       // named by the configuration or a registration
};

/// Something that this sidecar registers.
struct peri_own_status {
  const char *service;
  const char *address;
  const char *state;   // "registered", "registering", "out", "blocked"
  const char *reason;  // why it is not registered, or ""
};

/// What a registry knows of itself at one moment: immutable,
/// reference-counted; any thread.
struct peri_registry_status {
  const char *kind;      // "static", "etcd"
  const char *state;     // "syncing", "live", "stale", "static"
  const char *reason;    // in words, or ""
  const char *trouble;   // the kind of the last failure that lasts, or ""
  const char *endpoint;  // the member asked now, or ""
  uint64_t taken_ns;     // when this was taken, monotonic
  int64_t revision;
  uint64_t age_ms;  // since the data were last known to be current
  int64_t lease;    // 0: none
  int64_t lease_remaining_ms;
  const struct peri_service_status *services;
  size_t service_count;
  const struct peri_own_status *own;
  size_t own_count;
};

void peri_registry_status_unref(struct peri_registry_status *status);
