#pragma once

#include "base/types.h"
#include "model/peers.h"

/// What a ring is built from: one endpoint, in the order of the snapshot.
struct peri_ring_node {
  struct peri_slice address;
  uint32_t weight;
};

/// What is hashed for point `index` of an endpoint, and for keys: both rings of
/// the groupcache family differ only in this.
struct peri_ring_hash {
  uint64_t (*point)(struct peri_slice label);  // of decimal(index) + address
  uint64_t (*key)(struct peri_slice key);
};

/// Limits that keep a policy from eating the process's memory.
enum peri_ring_limits {
  PERI_RING_POINTS_MAX = 1048576,
  PERI_RING_REPLICAS_MAX = 65536,
  PERI_RING_REPLICAS_DEFAULT = 50,
  PERI_RING_MAGLEV_SLOTS = 65537
};

/// The table of one kind; peri_peers_ring() is the door for everybody else.
/// @return 0, PERI_EINVAL (kind, no nodes, too many points) or PERI_ENOMEM.
int peri_ring_new(enum peri_ring_kind kind, uint32_t replicas,
                  const struct peri_ring_node *nodes, size_t count,
                  struct peri_ring **ret_ring);

/// A ring of points with hashes of one's own.
int peri_ring_points_new(const struct peri_ring_hash *hash, uint32_t replicas,
                         const struct peri_ring_node *nodes, size_t count,
                         struct peri_ring **ret_ring);
int peri_ring_maglev_new(const struct peri_ring_node *nodes, size_t count,
                         struct peri_ring **ret_ring);
int peri_ring_rendezvous_new(const struct peri_ring_node *nodes, size_t count,
                             struct peri_ring **ret_ring);

/// NULL is fine.
void peri_ring_free(struct peri_ring *ring);

/// What every kind begins with, embedded as its first field.
struct peri_ring {
  size_t (*owner)(const struct peri_ring *ring, struct peri_slice key);
};
