#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/ring.h"

struct seat {
  uint64_t hash;
  double weight;
};

struct rendezvous {
  struct peri_ring ring;
  size_t count;
  struct seat seats[];
};

// The finaliser of SplitMix64: every bit of the key's and the node's hash
// reaches every bit of the score.
static uint64_t mix(uint64_t x) {
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

static size_t owner_equal(const struct peri_ring *ring, struct peri_slice key) {
  const struct rendezvous *self = (const struct rendezvous *)(const void *)ring;
  uint64_t hash = peri_hash_xxh3(key, 0);
  uint64_t best_score = 0;
  size_t best = 0;

  for (size_t i = 0; i < self->count; i++) {
    uint64_t score = mix(hash ^ self->seats[i].hash);
    if (score > best_score) {
      best_score = score;
      best = i;
    }
  }
  return best;
}

static size_t owner_weighted(const struct peri_ring *ring,
                             struct peri_slice key) {
  const struct rendezvous *self = (const struct rendezvous *)(const void *)ring;
  uint64_t hash = peri_hash_xxh3(key, 0);
  double best_cost = HUGE_VAL;
  size_t best = 0;

  for (size_t i = 0; i < self->count; i++) {
    // 53 bits strictly between 0 and 1: neither end has a finite logarithm
    // other than 0.
    uint64_t bits = mix(hash ^ self->seats[i].hash) >> 11;
    double uniform = ((double)bits + 0.5) / 9007199254740992.0;
    double cost = -log(uniform) / self->seats[i].weight;
    if (cost < best_cost) {
      best_cost = cost;
      best = i;
    }
  }
  return best;
}

int peri_ring_rendezvous_new(const struct peri_ring_node *nodes, size_t count,
                             struct peri_ring **ret_ring) {
  struct rendezvous *self;

  if (count == 0 || count > PERI_RING_POINTS_MAX) {
    return PERI_EINVAL;
  }
  self = malloc(sizeof(*self) + count * sizeof(self->seats[0]));
  if (!self) {
    return PERI_ENOMEM;
  }
  self->count = count;
  // With equal weights the order of the costs is that of the hashes, which
  // needs no logarithms and gives the same owner.
  self->ring.owner = owner_equal;
  for (size_t i = 0; i < count; i++) {
    self->seats[i].hash = peri_hash_xxh3(nodes[i].address, 0);
    self->seats[i].weight = nodes[i].weight;
    if (nodes[i].weight != nodes[0].weight) {
      self->ring.owner = owner_weighted;
    }
  }
  *ret_ring = &self->ring;
  return 0;
}
