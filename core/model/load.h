#pragma once

#include "base/types.h"

struct peri_snapshot;

/// What one worker remembers of an endpoint: calls under way, latency, recent
/// failures. Belongs to the address, not to a snapshot, so that it survives
/// snapshots and reloads of policies. Its worker's thread only.
struct peri_load {
  uint32_t inflight;
  uint64_t ewma_ns;     // peak-sensitive average of latency; 0: none yet
  uint64_t ewma_at_ns;  // when it was last moved, monotonic
  double recent;        // failures, halved every 10 s
  uint64_t recent_at_ns;
  uint32_t holders;  // while any, it is not forgotten: whoever keeps the
                     // pointer without a snapshot that names it counts here
};

/// The loads of one worker by address.
struct peri_loads;

/// NULL when out of memory.
struct peri_loads *peri_loads_new(void);
/// Frees them with every load.
void peri_loads_free(struct peri_loads *loads);

/// Finds or makes the load of an address; it lives until forgotten. @return 0
/// or PERI_ENOMEM.
int peri_loads_get(struct peri_loads *loads, struct peri_slice address,
                   struct peri_load **ret_load);

/// Forgets addresses that `snapshot` (NULL for none) does not name, that have
/// neither a call under way nor a holder, and that were last used (named, asked
/// for, or a call ended) more than 10 minutes ago.
void peri_loads_prune(struct peri_loads *loads,
                      const struct peri_snapshot *snapshot, uint64_t now_ns);
/// How many addresses are remembered.
size_t peri_loads_count(const struct peri_loads *loads);

/// A call begins, and ends: `ok` says whether the endpoint did its part (a gRPC
/// status that the application chose is no failure). Peak EWMA as in Finagle:
/// a slower answer counts at once, faster ones with a time constant of 10 s;
/// a failure moves the average only up.
void peri_load_begin(struct peri_load *load);
void peri_load_end(struct peri_load *load, uint64_t now_ns, uint64_t latency_ns,
                   bool ok);
/// The average now, decayed; and the failures now.
uint64_t peri_load_latency_ns(const struct peri_load *load, uint64_t now_ns);
double peri_load_failures(const struct peri_load *load, uint64_t now_ns);
