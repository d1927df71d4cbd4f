#include "model/snapshot.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/slice.h"
#include "model/peers.h"

struct peri_snapshot {
  atomic_size_t references;
  uint64_t version;
  size_t count;
  struct peri_peers *peers[];  // sorted by service
};

static int by_service(const void *left, const void *right) {
  const struct peri_peers *const *a = left;
  const struct peri_peers *const *b = right;
  return strcmp(peri_peers_service(*a), peri_peers_service(*b));
}

int peri_snapshot_new(uint64_t version, struct peri_peers *const *peers,
                      size_t count, struct peri_snapshot **ret_snapshot) {
  struct peri_snapshot *snapshot =
      calloc(1, sizeof(*snapshot) + count * sizeof(snapshot->peers[0]));

  if (!snapshot) {
    return PERI_ENOMEM;
  }
  atomic_init(&snapshot->references, 1);
  snapshot->version = version;
  snapshot->count = count;
  for (size_t i = 0; i < count; i++) {
    snapshot->peers[i] = peri_peers_ref(peers[i]);
  }
  qsort(snapshot->peers, count, sizeof(snapshot->peers[0]), by_service);
  *ret_snapshot = snapshot;
  return 0;
}

struct peri_snapshot *peri_snapshot_ref(struct peri_snapshot *snapshot) {
  atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
  return snapshot;
}

void peri_snapshot_unref(struct peri_snapshot *snapshot) {
  if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1,
                                             memory_order_acq_rel) != 1) {
    return;
  }
  for (size_t i = 0; i < snapshot->count; i++) {
    peri_peers_unref(snapshot->peers[i]);
  }
  free(snapshot);
}

uint64_t peri_snapshot_version(const struct peri_snapshot *snapshot) {
  return snapshot->version;
}

struct peri_peers *peri_snapshot_find(const struct peri_snapshot *snapshot,
                                      struct peri_slice service) {
  size_t low = 0;
  size_t high = snapshot->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    struct peri_peers *peers = snapshot->peers[middle];
    int order =
        peri_slice_compare(service, peri_slice_of(peri_peers_service(peers)));
    if (order == 0) {
      return peers;
    }
    if (order > 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

size_t peri_snapshot_count(const struct peri_snapshot *snapshot) {
  return snapshot->count;
}

struct peri_peers *peri_snapshot_at(const struct peri_snapshot *snapshot,
                                    size_t index) {
  return index < snapshot->count ? snapshot->peers[index] : NULL;
}
