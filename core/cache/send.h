#pragma once

#include "base/types.h"

struct peri_cache_side;
struct peri_cache_worker;
struct peri_unary;
struct peri_unary_result;

/// A call to another sidecar for the cache: marked with a hop and with our
/// cluster's name, and limited by the group's `peer_timeout`. Everything is
/// copied.
struct peri_cache_request {
  struct peri_cache_worker *worker;
  const struct peri_cache_side *side;
  struct peri_slice address;
  const char *path;
  struct peri_slice message;
};

/// Starts it, as peri_unary_start() does.
int peri_cache_ask(const struct peri_cache_request *request,
                   void (*done)(void *ctx,
                                const struct peri_unary_result *result),
                   void *ctx, struct peri_unary **ret_unary);

/// Starts it for a write, which nobody takes back: `done` comes exactly once,
/// never from within, and with UNAVAILABLE when the worker stops first.
/// @return 0, PERI_EINVAL, PERI_ENOMEM (`done` does not come then).
int peri_cache_send(const struct peri_cache_request *request,
                    void (*done)(void *ctx,
                                 const struct peri_unary_result *result),
                    void *ctx);

/// Ends all writes of a worker that stops.
void peri_cache_send_stop(struct peri_cache_worker *worker);
