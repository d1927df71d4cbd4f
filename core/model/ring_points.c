#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "model/ring.h"

struct point {
  uint64_t hash;
  uint64_t node;
};

struct points {
  struct peri_ring ring;
  uint64_t (*hash_key)(struct peri_slice key);
  size_t count;
  struct point points[];
};

// Two points with one hash: the node added last stands first, and owns it.
static int by_hash(const void *left, const void *right) {
  const struct point *a = left;
  const struct point *b = right;

  if (a->hash != b->hash) {
    return a->hash < b->hash ? -1 : 1;
  }
  return (a->node < b->node) - (a->node > b->node);
}

static size_t owner(const struct peri_ring *ring, struct peri_slice key) {
  const struct points *self = (const struct points *)(const void *)ring;
  uint64_t hash = self->hash_key(key);
  size_t low = 0;
  size_t high = self->count;

  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (self->points[middle].hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return self->points[low == self->count ? 0 : low].node;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
  while (b != 0) {
    uint64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

// How many points a node gets: `replicas` for each common unit of weight, made
// smaller in proportion when that would be more points than a ring may have.
struct scale {
  uint64_t replicas;
  uint64_t unit;
  double shrink;
};

static struct scale scale_of(const struct peri_ring_node *nodes, size_t count,
                             uint32_t replicas) {
  struct scale scale = {.replicas = replicas, .unit = 0, .shrink = 1.0};
  uint64_t sum = 0;

  for (size_t i = 0; i < count; i++) {
    scale.unit = common_divisor(nodes[i].weight, scale.unit);
    sum += nodes[i].weight;
  }
  double total = (double)sum / (double)scale.unit * replicas;
  if (total > PERI_RING_POINTS_MAX - (double)count) {
    scale.shrink = (PERI_RING_POINTS_MAX - (double)count) / total;
  }
  return scale;
}

static uint64_t points_of(const struct scale *scale, uint32_t weight) {
  uint64_t points = weight / scale->unit * scale->replicas;

  if (scale->shrink < 1.0) {
    points = (uint64_t)((double)points * scale->shrink);
  }
  return points > 0 ? points : 1;
}

static int fill(struct points *self, const struct peri_ring_hash *hash,
                const struct scale *scale, const struct peri_ring_node *nodes,
                size_t count) {
  for (size_t i = 0; i < count; i++) {
    size_t capacity = nodes[i].address.len + 24;
    uint64_t wanted = points_of(scale, nodes[i].weight);
    char *label = malloc(capacity);
    if (!label) {
      return PERI_ENOMEM;
    }
    for (uint64_t k = 0; k < wanted; k++) {
      int digits = snprintf(label, capacity, "%llu", (unsigned long long)k);
      memcpy(label + digits, nodes[i].address.ptr, nodes[i].address.len);
      struct peri_slice bytes = {.ptr = label,
                                 .len = (size_t)digits + nodes[i].address.len};
      self->points[self->count].hash = hash->point(bytes);
      self->points[self->count].node = i;
      self->count++;
    }
    free(label);
  }
  return 0;
}

int peri_ring_points_new(const struct peri_ring_hash *hash, uint32_t replicas,
                         const struct peri_ring_node *nodes, size_t count,
                         struct peri_ring **ret_ring) {
  struct points *self;
  size_t total = 0;

  if (replicas == 0) {
    replicas = PERI_RING_REPLICAS_DEFAULT;
  }
  if (count == 0 || replicas > PERI_RING_REPLICAS_MAX ||
      (uint64_t)replicas > PERI_RING_POINTS_MAX / (uint64_t)count) {
    return PERI_EINVAL;
  }
  struct scale scale = scale_of(nodes, count, replicas);
  for (size_t i = 0; i < count; i++) {
    total += points_of(&scale, nodes[i].weight);
  }
  self = malloc(sizeof(*self) + total * sizeof(self->points[0]));
  if (!self) {
    return PERI_ENOMEM;
  }
  self->ring.owner = owner;
  self->hash_key = hash->key;
  self->count = 0;
  int rc = fill(self, hash, &scale, nodes, count);
  if (rc < 0) {
    free(self);
    return rc;
  }
  qsort(self->points, self->count, sizeof(self->points[0]), by_hash);
  *ret_ring = &self->ring;
  return 0;
}
