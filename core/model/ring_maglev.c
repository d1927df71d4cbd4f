#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "model/ring.h"

struct maglev {
  struct peri_ring ring;
  uint16_t slots[PERI_RING_MAGLEV_SLOTS];
};

// A node's walk through the slots in its own order.
struct walk {
  uint64_t offset;
  uint64_t step;
  uint64_t next;    // how many slots it has looked at
  uint64_t credit;  // grows by its weight each round; a slot costs the largest
};

static size_t owner(const struct peri_ring *ring, struct peri_slice key) {
  const struct maglev *self = (const struct maglev *)(const void *)ring;
  return self->slots[peri_hash_xxh3(key, 0) % PERI_RING_MAGLEV_SLOTS];
}

static void take(struct maglev *self, bool *taken, struct walk *walk,
                 uint16_t node) {
  uint64_t slot;

  do {
    slot = (walk->offset + walk->next * walk->step) % PERI_RING_MAGLEV_SLOTS;
    walk->next++;
  } while (taken[slot]);
  taken[slot] = true;
  self->slots[slot] = node;
}

static void fill(struct maglev *self, bool *taken, struct walk *walks,
                 const struct peri_ring_node *nodes, size_t count) {
  size_t left = PERI_RING_MAGLEV_SLOTS;
  uint64_t largest = 0;

  for (size_t i = 0; i < count; i++) {
    uint64_t hash = peri_hash_xxh3(nodes[i].address, 1);
    walks[i].offset = hash % PERI_RING_MAGLEV_SLOTS;
    walks[i].step =
        peri_hash_xxh3(nodes[i].address, 2) % (PERI_RING_MAGLEV_SLOTS - 1) + 1;
    if (nodes[i].weight > largest) {
      largest = nodes[i].weight;
    }
  }
  while (left > 0) {
    for (size_t i = 0; i < count && left > 0; i++) {
      walks[i].credit += nodes[i].weight;
      if (walks[i].credit >= largest) {
        walks[i].credit -= largest;
        take(self, taken, &walks[i], (uint16_t)i);
        left--;
      }
    }
  }
}

int peri_ring_maglev_new(const struct peri_ring_node *nodes, size_t count,
                         struct peri_ring **ret_ring) {
  struct maglev *self = NULL;
  struct walk *walks = NULL;
  bool *taken = NULL;
  int rc = PERI_ENOMEM;

  if (count == 0 || count > UINT16_MAX) {
    return PERI_EINVAL;
  }
  self = malloc(sizeof(*self));
  walks = calloc(count, sizeof(*walks));
  taken = calloc(PERI_RING_MAGLEV_SLOTS, sizeof(*taken));
  if (!self || !walks || !taken) {
    free(self);
    goto fail_tables;
  }
  self->ring.owner = owner;
  fill(self, taken, walks, nodes, count);
  *ret_ring = &self->ring;
  rc = 0;

fail_tables:
  free(taken);
  free(walks);
  return rc;
}
