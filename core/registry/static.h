#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;
struct peri_snapshot;

/// The registry of one machine: services and their endpoints as the
/// configuration lists them. Used by one thread.
struct peri_static;

struct peri_static_options {
  struct peri_config *config;      // read now, not kept
  struct peri_slice self_address;  // this sidecar's in the cluster, or empty
  /// A new snapshot, borrowed; called within peri_static_new() and
  /// peri_static_update().
  void (*publish)(void *ctx, struct peri_snapshot *snapshot);
  void *ctx;
};

/// Makes it and publishes the first snapshot (version 1).
/// @return 0, PERI_EINVAL (an address that does not parse, named by
/// `ret_problem`) or PERI_ENOMEM.
int peri_static_new(const struct peri_static_options *options,
                    struct peri_static **ret_static,
                    struct peri_problem *ret_problem);

/// Takes the services of a configuration read again, and publishes a snapshot
/// with the next version if any of them differs from what is known.
/// @return 0, or a code as above: what is known then stays.
int peri_static_update(struct peri_static *source, struct peri_config *config,
                       struct peri_problem *ret_problem);

/// The snapshot published last, borrowed.
struct peri_snapshot *peri_static_snapshot(const struct peri_static *source);

/// NULL is fine.
void peri_static_free(struct peri_static *source);
