#include "model/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"
#include "model/peers.h"
#include "model/snapshot.h"

enum { FIRST_BUCKETS = 64 };

static const uint64_t FORGET_NS = 600000000000U;
static const double TIME_CONSTANT_NS = 1e10;
static const double HALF_LIFE_NS = 1e10;

struct entry {
  struct peri_load load;
  struct entry *next;  // of its bucket
  uint64_t hash;
  uint64_t named_at_ns;  // when prune() last found it named
  bool fresh;            // asked for since prune() was last called
  struct peri_slice address;
  char text[];
};

struct peri_loads {
  struct entry **buckets;
  size_t bucket_count;  // a power of two
  size_t count;
  uint64_t seed;
};

struct peri_loads *peri_loads_new(void) {
  struct peri_loads *loads = calloc(1, sizeof(*loads));
  if (loads == NULL) {
    return NULL;
  }
  loads->buckets = calloc(FIRST_BUCKETS, sizeof(struct entry *));
  if (loads->buckets == NULL) {
    free(loads);
    return NULL;
  }
  loads->bucket_count = FIRST_BUCKETS;
  loads->seed = peri_hash_random_seed();
  return loads;
}

void peri_loads_free(struct peri_loads *loads) {
  if (loads == NULL) {
    return;
  }
  for (size_t i = 0; i < loads->bucket_count; i++) {
    struct entry *entry = loads->buckets[i];
    while (entry != NULL) {
      struct entry *next = entry->next;
      free(entry);
      entry = next;
    }
  }
  free(loads->buckets);
  free(loads);
}

static struct entry *find(const struct peri_loads *loads,
                          struct peri_slice address, uint64_t hash) {
  struct entry *entry = loads->buckets[hash & (loads->bucket_count - 1)];
  while (entry != NULL &&
         (entry->hash != hash || !peri_slice_equal(entry->address, address))) {
    entry = entry->next;
  }
  return entry;
}

static void put(struct entry **buckets, size_t count, struct entry *entry) {
  struct entry **bucket = &buckets[entry->hash & (count - 1)];
  entry->next = *bucket;
  *bucket = entry;
}

// Longer chains are no failure: without memory for more buckets they stay.
static void grow(struct peri_loads *loads) {
  size_t count = loads->bucket_count * 2;
  struct entry **buckets = calloc(count, sizeof(struct entry *));
  if (buckets == NULL) {
    return;
  }
  for (size_t i = 0; i < loads->bucket_count; i++) {
    struct entry *entry = loads->buckets[i];
    while (entry != NULL) {
      struct entry *next = entry->next;
      put(buckets, count, entry);
      entry = next;
    }
  }
  free(loads->buckets);
  loads->buckets = buckets;
  loads->bucket_count = count;
}

int peri_loads_get(struct peri_loads *loads, struct peri_slice address,
                   struct peri_load **ret_load) {
  uint64_t hash = peri_hash_xxh3(address, loads->seed);
  struct entry *entry = find(loads, address, hash);
  if (entry == NULL) {
    entry = calloc(1, sizeof(*entry) + address.len + 1);
    if (entry == NULL) {
      return PERI_ENOMEM;
    }
    if (address.len > 0) {
      memcpy(entry->text, address.ptr, address.len);
    }
    entry->address = (struct peri_slice){entry->text, address.len};
    entry->hash = hash;
    if (loads->count >= loads->bucket_count) {
      grow(loads);
    }
    put(loads->buckets, loads->bucket_count, entry);
    loads->count++;
  }
  entry->fresh = true;
  *ret_load = &entry->load;
  return 0;
}

static void mark_named(struct peri_loads *loads,
                       const struct peri_snapshot *snapshot, uint64_t now_ns) {
  for (size_t i = 0; i < peri_snapshot_count(snapshot); i++) {
    const struct peri_peers *peers = peri_snapshot_at(snapshot, i);
    for (size_t j = 0; j < peri_peers_count(peers); j++) {
      struct peri_slice address =
          peri_slice_of(peri_peers_at(peers, j)->address);
      struct entry *entry =
          find(loads, address, peri_hash_xxh3(address, loads->seed));
      if (entry != NULL) {
        entry->named_at_ns = now_ns;
      }
    }
  }
}

static uint64_t last_used(const struct entry *entry) {
  uint64_t used = entry->named_at_ns;
  used = entry->load.ewma_at_ns > used ? entry->load.ewma_at_ns : used;
  return entry->load.recent_at_ns > used ? entry->load.recent_at_ns : used;
}

void peri_loads_prune(struct peri_loads *loads,
                      const struct peri_snapshot *snapshot, uint64_t now_ns) {
  if (snapshot != NULL) {
    mark_named(loads, snapshot, now_ns);
  }
  for (size_t i = 0; i < loads->bucket_count; i++) {
    struct entry **link = &loads->buckets[i];
    while (*link != NULL) {
      struct entry *entry = *link;
      if (entry->fresh || entry->load.inflight > 0 || entry->load.holders > 0) {
        entry->named_at_ns = now_ns;
      }
      entry->fresh = false;
      if (now_ns - last_used(entry) > FORGET_NS && last_used(entry) <= now_ns) {
        *link = entry->next;
        free(entry);
        loads->count--;
      } else {
        link = &entry->next;
      }
    }
  }
}

size_t peri_loads_count(const struct peri_loads *loads) {
  return loads->count;
}

void peri_load_begin(struct peri_load *load) {
  load->inflight++;
}

static double since(uint64_t then_ns, uint64_t now_ns) {
  return now_ns > then_ns ? (double)(now_ns - then_ns) : 0;
}

static void observe(struct peri_load *load, uint64_t now_ns,
                    uint64_t latency_ns) {
  if (latency_ns < load->ewma_ns) {
    double kept = exp(-since(load->ewma_at_ns, now_ns) / TIME_CONSTANT_NS);
    latency_ns = (uint64_t)((double)load->ewma_ns * kept +
                            (double)latency_ns * (1 - kept));
  }
  load->ewma_ns = latency_ns > 0 ? latency_ns : 1;
  load->ewma_at_ns = now_ns;
}

void peri_load_end(struct peri_load *load, uint64_t now_ns, uint64_t latency_ns,
                   bool ok) {
  load->inflight--;
  // An endpoint that fails fast must not look like a fast one.
  if (ok || latency_ns > load->ewma_ns) {
    observe(load, now_ns, latency_ns);
  }
  if (!ok) {
    load->recent = peri_load_failures(load, now_ns) + 1;
    load->recent_at_ns = now_ns;
  }
}

uint64_t peri_load_latency_ns(const struct peri_load *load, uint64_t now_ns) {
  if (load->ewma_ns == 0) {
    return 0;
  }
  return (uint64_t)((double)load->ewma_ns *
                    exp(-since(load->ewma_at_ns, now_ns) / TIME_CONSTANT_NS));
}

double peri_load_failures(const struct peri_load *load, uint64_t now_ns) {
  if (!(load->recent > 0)) {
    return 0;
  }
  return load->recent * exp2(-since(load->recent_at_ns, now_ns) / HALF_LIFE_NS);
}
