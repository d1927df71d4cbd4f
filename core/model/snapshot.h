#pragma once

#include "base/types.h"

struct peri_peers;

/// The services known at one moment: immutable, reference-counted, shared by
/// all threads.
struct peri_snapshot;

/// Takes a reference to each of `peers` (one per service name). @return 0 or
/// PERI_ENOMEM.
int peri_snapshot_new(uint64_t version, struct peri_peers *const *peers,
                      size_t count, struct peri_snapshot **ret_snapshot);
/// One reference more, or less (NULL: no-op). Any thread.
struct peri_snapshot *peri_snapshot_ref(struct peri_snapshot *snapshot);
void peri_snapshot_unref(struct peri_snapshot *snapshot);

/// As given to peri_snapshot_new().
uint64_t peri_snapshot_version(const struct peri_snapshot *snapshot);
/// The endpoints of a service, borrowed from the snapshot, or NULL when it is
/// not known.
struct peri_peers *peri_snapshot_find(const struct peri_snapshot *snapshot,
                                      struct peri_slice service);
/// The services one by one, in the order of their names; borrowed.
size_t peri_snapshot_count(const struct peri_snapshot *snapshot);
struct peri_peers *peri_snapshot_at(const struct peri_snapshot *snapshot,
                                    size_t index);
