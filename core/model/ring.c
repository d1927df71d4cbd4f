#include "model/ring.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"

static uint64_t crc32_of(struct peri_slice bytes) {
  return peri_hash_crc32(bytes);
}

// groupcache-go orders its points as signed numbers; with the sign bit flipped
// unsigned order is the same.
static uint64_t fnv_ordered(struct peri_slice bytes) {
  return peri_hash_fnv1_64(bytes) ^ (UINT64_C(1) << 63);
}

static uint64_t fnv_point(struct peri_slice label) {
  char hex[33];
  peri_hash_md5_hex(label, hex);
  return fnv_ordered((struct peri_slice){.ptr = hex, .len = 32});
}

int peri_ring_new(enum peri_ring_kind kind, uint32_t replicas,
                  const struct peri_ring_node *nodes, size_t count,
                  struct peri_ring **ret_ring) {
  static const struct peri_ring_hash crc32_hash = {crc32_of, crc32_of};
  static const struct peri_ring_hash fnv_hash = {fnv_point, fnv_ordered};

  switch (kind) {
    case PERI_RING_CRC32:
      return peri_ring_points_new(&crc32_hash, replicas, nodes, count,
                                  ret_ring);
    case PERI_RING_FNV:
      return peri_ring_points_new(&fnv_hash, replicas, nodes, count, ret_ring);
    case PERI_RING_MAGLEV:
      return peri_ring_maglev_new(nodes, count, ret_ring);
    case PERI_RING_RENDEZVOUS:
      return peri_ring_rendezvous_new(nodes, count, ret_ring);
  }
  return PERI_EINVAL;
}

size_t peri_ring_owner(const struct peri_ring *ring, struct peri_slice key) {
  return ring->owner(ring, key);
}

void peri_ring_free(struct peri_ring *ring) {
  free(ring);
}
