#pragma once

#include "base/types.h"

struct peri_cache_worker;
struct peri_cache_side;
struct peri_flight;
struct peri_endpoint;

/// Starts the load that `flight` stands for and ends the flight in any case,
/// from the loop or at once (waiters are woken through mailboxes, so never from
/// within). With `owner` it is a Get to that sidecar in the group's `forwards`,
/// and the fallback when that fails; without, the fallback for `values`.
void peri_cache_load_start(struct peri_cache_worker *worker,
                           struct peri_cache_side *side,
                           struct peri_flight *flight,
                           const struct peri_endpoint *owner);

/// Fails every load of a worker that stops.
void peri_cache_load_stop(struct peri_cache_worker *worker);
