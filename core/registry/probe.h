#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_loop;
struct peri_rpc_client;

enum peri_probe_kind {
  PERI_PROBE_NONE = 0,  // always healthy
  PERI_PROBE_TCP = 1,   // a connection is taken
  PERI_PROBE_GRPC = 2   // grpc.health.v1.Health/Check says SERVING
};

/// Looks at an address again and again, and says when it becomes healthy or
/// unhealthy: healthy after one success, unhealthy after two failures in a row
/// (at once when the connection is refused, or the server says that it does not
/// serve). For TCP probes "localhost" is 127.0.0.1, then ::1; other names are
/// looked up on a thread of their own, and again after a failure.
struct peri_probe;

struct peri_probe_options {
  struct peri_loop *loop;
  struct peri_rpc_client *rpc;  // for PERI_PROBE_GRPC
  enum peri_probe_kind kind;
  struct peri_slice address;
  struct peri_slice service;  // of the health check; "" is the whole server
  uint32_t every_ms;          // 0 for 1,000; with jitter of 10 %
  uint32_t timeout_ms;        // 0 for 1,000; of each look
  /// On the loop, on every change and once for the first answer. `why` says
  /// what is wrong, "" when healthy. May free the probe.
  void (*changed)(void *ctx, bool healthy, const char *why);
  void *ctx;
};

/// The first look begins in the loop's next iteration.
/// @return 0, PERI_EINVAL (address, kind, no `rpc`), PERI_EUNSUPPORTED (gRPC's
/// library is not installed) or PERI_ENOMEM, with words.
int peri_probe_new(const struct peri_probe_options *options,
                   struct peri_probe **ret_probe,
                   struct peri_problem *ret_problem);
/// `changed` comes no more. Comes before `rpc` is closed. NULL is fine.
void peri_probe_free(struct peri_probe *probe);
