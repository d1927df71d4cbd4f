#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_call;

/// grpc.health.v1.Health of one worker, for the sidecar as a whole ("") and for
/// its cache ("groupcachepb.GroupCache"). Its loop's thread only.
struct peri_health;

/// Begins as SERVING. NULL when out of memory.
struct peri_health *peri_health_new(void);

/// Handlers for peri_call_accept(); `ctx` is the struct peri_health. Check ends
/// with NOT_FOUND for an unknown service; Watch answers SERVICE_UNKNOWN and
/// goes on.
void peri_health_check(void *ctx, struct peri_call *call,
                       struct peri_slice message);
void peri_health_watch(void *ctx, struct peri_call *call,
                       struct peri_slice message);

/// This sidecar is about to stop: every watcher hears NOT_SERVING, and its
/// stream ends (with UNAVAILABLE), so that no watch keeps the drain waiting.
void peri_health_drain(struct peri_health *health);

/// Every call must have ended (free the servers first). NULL is fine.
void peri_health_free(struct peri_health *health);
