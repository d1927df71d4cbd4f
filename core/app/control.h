#pragma once

#include "base/types.h"

struct peri_ask;
struct peri_cache_worker;
struct peri_call;
struct peri_mailbox;
struct peri_metrics;
struct peri_proxy;
struct peri_snapshot;

/// perigee.v1.Mesh of one worker: what this sidecar tells its operator. Its
/// loop's thread only.
struct peri_control {
  struct peri_snapshot *snapshot;  // the worker's; NULL before the first
  struct peri_metrics *metrics;
  const char *cluster;
  struct peri_ask *ask;          // the control thread's ear
  struct peri_mailbox *mailbox;  // the worker's
  struct peri_proxy *proxy;
  struct peri_cache_worker *cache;
  uint32_t worker;  // its number
};

/// Handlers for peri_call_accept(); `ctx` is the struct peri_control.
void peri_control_peers(void *ctx, struct peri_call *call,
                        struct peri_slice message);
void peri_control_stats(void *ctx, struct peri_call *call,
                        struct peri_slice message);
/// These are answered once the control thread has.
void peri_control_services(void *ctx, struct peri_call *call,
                           struct peri_slice message);
void peri_control_register(void *ctx, struct peri_call *call,
                           struct peri_slice message);
void peri_control_deregister(void *ctx, struct peri_call *call,
                             struct peri_slice message);
void peri_control_policies(void *ctx, struct peri_call *call,
                           struct peri_slice message);
void peri_control_reload_policies(void *ctx, struct peri_call *call,
                                  struct peri_slice message);
void peri_control_rollback_policy(void *ctx, struct peri_call *call,
                                  struct peri_slice message);
