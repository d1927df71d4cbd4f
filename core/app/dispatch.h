#pragma once

#include "base/types.h"

struct peri_cache_worker;
struct peri_control;
struct peri_h2_stream;
struct peri_health;
struct peri_proxy;
struct peri_reflection;

/// Who answers a call.
enum peri_dispatch_target {
  PERI_DISPATCH_PROXY = 0,  // nobody here: it is for another service
  PERI_DISPATCH_CACHE = 1,
  PERI_DISPATCH_HEALTH_CHECK = 2,
  PERI_DISPATCH_HEALTH_WATCH = 3,
  PERI_DISPATCH_PEERS = 4,
  PERI_DISPATCH_STATS = 5,
  PERI_DISPATCH_APP_ONLY = 6,  // a control call that came in on the mesh
  PERI_DISPATCH_SERVICES = 7,
  PERI_DISPATCH_REGISTER = 8,
  PERI_DISPATCH_DEREGISTER = 9,
  PERI_DISPATCH_REFLECTION = 10,
  PERI_DISPATCH_POLICIES = 11,
  PERI_DISPATCH_RELOAD_POLICIES = 12,
  PERI_DISPATCH_ROLLBACK_POLICY = 13,
  PERI_DISPATCH_EXPLAIN = 14
};

/// Chooses by a request's path. Trust is by listener: `mesh` says that the call
/// came from another sidecar's side, where control calls are not answered.
enum peri_dispatch_target peri_dispatch_choose(struct peri_slice path,
                                               bool mesh);

/// What the calls of one worker are handed to. Everything is borrowed.
struct peri_dispatch {
  struct peri_cache_worker *cache;
  struct peri_health *health;
  struct peri_control *control;
  struct peri_proxy *proxy;
  struct peri_reflection *reflection;
  uint32_t message_bytes;
};

/// Hands a request stream over. A call of the application that names its
/// service itself is forwarded whatever its path.
void peri_dispatch_request(struct peri_dispatch *dispatch,
                           struct peri_h2_stream *stream, bool mesh);
