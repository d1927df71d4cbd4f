#pragma once

#include "base/json.h"
#include "base/types.h"

struct peri_problem;

/// One endpoint of a service in a snapshot.
struct peri_endpoint {
  const char *address;  // as configured, "10.0.0.7:7402"
  const char *zone;     // "" when unknown
  uint32_t weight;      // 1 … 65535, 1 by default
  bool self;            // this very sidecar
  bool suspect;         // gone from the registry, still answers
  bool sidecar;  // metadata.protocol is "perigee": what answers there is one
  const struct peri_json *metadata;  // may be NULL
};

/// The endpoints of one service at one moment: immutable, reference-counted,
/// shared by all threads. Sorted by address; an address occurs once.
struct peri_peers;

/// What peri_peers_new() copies from.
struct peri_endpoint_init {
  struct peri_slice address;
  struct peri_slice zone;
  uint32_t weight;  // 0 counts as 1
  bool suspect;
  struct peri_json *metadata;  // a reference is taken; may be NULL
};

/// With one reference. @param self_address  this sidecar's address in the
/// service, or empty
/// @return 0, PERI_EINVAL (an address that does not parse; `ret_problem` names
/// it), PERI_ENOMEM.
int peri_peers_new(const char *service, const struct peri_endpoint_init *inits,
                   size_t count, struct peri_slice self_address,
                   struct peri_peers **ret_peers,
                   struct peri_problem *ret_problem);
/// One reference more, or less (NULL: no-op). Any thread.
struct peri_peers *peri_peers_ref(struct peri_peers *peers);
void peri_peers_unref(struct peri_peers *peers);

/// The service's name; lives as long as the peers.
const char *peri_peers_service(const struct peri_peers *peers);
/// How many endpoints there are.
size_t peri_peers_count(const struct peri_peers *peers);
/// Borrowed; NULL when out of range (0-based).
const struct peri_endpoint *peri_peers_at(const struct peri_peers *peers,
                                          size_t index);
/// The index of this sidecar, or -1.
int peri_peers_self(const struct peri_peers *peers);
/// Same addresses, zones, weights, suspicions and metadata.
bool peri_peers_equal(const struct peri_peers *a, const struct peri_peers *b);

/// How keys are spread over endpoints.
enum peri_ring_kind {
  PERI_RING_CRC32 = 1,  // golang/groupcache: crc32(decimal(i) + address)
  PERI_RING_FNV = 2,    // groupcache-go v3: FNV-1 64 of hex md5, signed order
  PERI_RING_MAGLEV =
      3,  // Maglev table of 65537 slots (Eisenbud et al., NSDI'16), weighted
  PERI_RING_RENDEZVOUS = 4  // weighted rendezvous hashing (-w / ln h)
};

/// A key-to-endpoint table of one peers snapshot. Lives as long as that; built
/// once, on first request, and shared by all workers (a lock inside guards only
/// the building).
struct peri_ring;

/// @param replicas  points per unit of weight for rings (0 for 50); unused by
/// maglev and rendezvous.
///   With all weights equal every endpoint has exactly `replicas` points,
///   whatever the weight, so that default rings agree with the groupcache
///   family; else replicas × weight / smallest-common scale.
///   A ring holds at most 1,048,576 points; unequal weights are made smaller in
///   proportion to stay below.
/// @return 0, PERI_EINVAL (unknown kind, no endpoints, replicas over 65,536 or
/// too many points), PERI_ELIMIT (over 32 different rings of one snapshot),
/// PERI_ENOMEM. *ret_ring is borrowed from `peers`.
int peri_peers_ring(struct peri_peers *peers, enum peri_ring_kind kind,
                    uint32_t replicas, const struct peri_ring **ret_ring);

/// Builds the rings that `before` (an older snapshot of the service) was asked
/// for, so that no worker has to when it adopts this one. @return 0 or as
/// peri_peers_ring().
int peri_peers_prepare(struct peri_peers *peers, struct peri_peers *before);

/// The index of the owner of `key`. Any thread; never fails on a built ring.
size_t peri_ring_owner(const struct peri_ring *ring, struct peri_slice key);
