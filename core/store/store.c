#include "store/store.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "store/entry.h"
#include "store/private.h"

enum {
  DEFAULT_SHARDS = 16,
  MAX_SHARDS = 65536,
  DEFAULT_WAITERS = 100000,
  CACHE_LINE = 64,
  LARGEST_PART = 4,  // an entry may take this part of a shard's budget
  MOVES = 16         // entries moved at most after one was stored
};

static void shard_init(struct peri_shard *shard, uint64_t budget_bytes) {
  *shard = (struct peri_shard){.budget_bytes = budget_bytes,
                               .limit_bytes = budget_bytes};
  shard->entries.key_offset = sizeof(struct peri_entry);
  shard->flights.key_offset = sizeof(struct peri_flight);
  peri_list_init(&shard->used);
}

static uint64_t share(uint64_t budget_bytes, uint32_t count) {
  // Tiny, but not unlimited.
  return budget_bytes != 0 && budget_bytes < count ? 1 : budget_bytes / count;
}

int peri_store_new(const struct peri_store_options *options,
                   struct peri_store **ret_store) {
  uint32_t count = options->shards == 0 ? DEFAULT_SHARDS : options->shards;
  if (count > MAX_SHARDS) {
    return PERI_EINVAL;
  }
  struct peri_store *store = calloc(1, sizeof(*store));
  if (store == NULL) {
    return PERI_ENOMEM;
  }
  store->shards = aligned_alloc(CACHE_LINE, count * sizeof(*store->shards));
  if (store->shards == NULL || peri_pool_new(&store->pool) < 0) {
    free(store->shards);
    free(store);
    return PERI_ENOMEM;
  }
  for (uint32_t i = 0; i < count; i++) {
    shard_init(&store->shards[i], share(options->budget_bytes, count));
  }
  store->shard_count = count;
  store->max_waiters =
      options->max_waiters == 0 ? DEFAULT_WAITERS : options->max_waiters;
  store->seed = peri_hash_random_seed();
  *ret_store = store;
  return 0;
}

void peri_store_free(struct peri_store *store) {
  if (store == NULL) {
    return;
  }
  for (uint32_t i = 0; i < store->shard_count; i++) {
    struct peri_shard *shard = &store->shards[i];
    struct peri_dead dead = {0};
    while (!peri_list_empty(&shard->used)) {
      peri_shard_unlink(
          shard, PERI_CONTAINER_OF(shard->used.next, struct peri_entry, used),
          &dead);
    }
    peri_dead_release(&dead);
    peri_table_done(&shard->entries);
    peri_table_done(&shard->flights);
  }
  // Readers may still hold entries; the pool waits for them.
  peri_pool_close(store->pool);
  free(store->shards);
  free(store);
}

uint32_t peri_store_shards(const struct peri_store *store) {
  return store->shard_count;
}

uint32_t peri_store_shard_of(const struct peri_store *store,
                             struct peri_slice key) {
  return peri_hash_fnv1a32(key) % store->shard_count;
}

struct peri_place peri_store_place(const struct peri_store *store,
                                   struct peri_slice key) {
  uint32_t index = peri_store_shard_of(store, key);
  struct peri_shard *shard = &store->shards[index];
  // Another processor probably had it last; it travels while we hash.
  __builtin_prefetch(shard, 1);
  return (struct peri_place){
      .shard = shard,
      .key = key,
      .hash = (uint32_t)peri_hash_xxh3(key, store->seed),
      .index = index,
  };
}

int peri_store_get(struct peri_store *store, struct peri_slice key,
                   int64_t now_ns, struct peri_entry **ret_entry) {
  struct peri_place place = peri_store_place(store, key);
  struct peri_dead dead = {0};
  peri_spin_lock(&place.shard->lock);
  struct peri_entry *entry = peri_shard_find(&place, now_ns, &dead);
  if (entry != NULL) {
    peri_shard_use(place.shard, entry);
    peri_entry_ref(entry);
    place.shard->hits++;
  } else {
    place.shard->misses++;
  }
  peri_spin_unlock(&place.shard->lock);
  peri_dead_release(&dead);
  if (entry == NULL) {
    return PERI_ENOTFOUND;
  }
  *ret_entry = entry;
  return 0;
}

int peri_store_peek(struct peri_store *store, struct peri_slice key,
                    int64_t now_ns, struct peri_entry **ret_entry) {
  struct peri_place place = peri_store_place(store, key);
  struct peri_dead dead = {0};
  peri_spin_lock(&place.shard->lock);
  struct peri_entry *entry = peri_shard_find(&place, now_ns, &dead);
  if (entry != NULL) {
    peri_entry_ref(entry);
  }
  peri_spin_unlock(&place.shard->lock);
  peri_dead_release(&dead);
  if (entry == NULL) {
    return PERI_ENOTFOUND;
  }
  *ret_entry = entry;
  return 0;
}

struct peri_fresh peri_store_fresh(const struct peri_store *store,
                                   const struct peri_place *place,
                                   const struct peri_entry *entry,
                                   int64_t now_ns) {
  struct peri_fresh fresh = {0};
  uint64_t charge_bytes = peri_entry_charge_bytes(entry);
  uint64_t budget_bytes =
      atomic_load_explicit(&place->shard->budget_bytes, memory_order_relaxed);
  if (charge_bytes == UINT64_MAX ||
      (budget_bytes != 0 && charge_bytes > budget_bytes / LARGEST_PART)) {
    fresh.code = PERI_ELIMIT;
  } else if (!peri_entry_expired(entry, now_ns)) {
    fresh.code = peri_entry_copy(entry, store->pool, &fresh.copy);
  }
  return fresh;
}

/// Replaces some entries that lie in sparse memory by copies, so that the
/// memory can go.
static void move_some(struct peri_store *store) {
  struct peri_entry *entries[MOVES];
  size_t count = peri_pool_sparse(store->pool, entries, MOVES);
  for (size_t i = 0; i < count; i++) {
    struct peri_entry *copy = NULL;
    if (peri_entry_copy(entries[i], store->pool, &copy) == 0) {
      struct peri_place place =
          peri_store_place(store, peri_entry_key(entries[i]));
      struct peri_dead dead = {0};
      peri_spin_lock(&place.shard->lock);
      peri_shard_swap(&place, entries[i], copy, &dead);
      peri_spin_unlock(&place.shard->lock);
      peri_dead_release(&dead);
    }
    peri_entry_unref(entries[i]);
  }
}

void peri_store_settle(struct peri_store *store, struct peri_shard *shard,
                       bool evict_more, int64_t now_ns,
                       struct peri_dead *dead) {
  peri_dead_release(dead);
  if (evict_more) {
    peri_shard_trim(shard, now_ns);
  }
  move_some(store);
}

int peri_store_set(struct peri_store *store, const struct peri_entry *entry,
                   int64_t now_ns) {
  struct peri_place place = peri_store_place(store, peri_entry_key(entry));
  struct peri_fresh fresh = peri_store_fresh(store, &place, entry, now_ns);
  struct peri_dead dead = {0};
  peri_spin_lock(&place.shard->lock);
  peri_shard_detach(&place);
  int rc = peri_shard_put(&place, &fresh, &dead);
  bool more = peri_shard_evict(place.shard, now_ns, &dead);
  peri_spin_unlock(&place.shard->lock);
  peri_store_settle(store, place.shard, more, now_ns, &dead);
  return rc;
}

bool peri_store_remove(struct peri_store *store, struct peri_slice key,
                       int64_t now_ns) {
  struct peri_place place = peri_store_place(store, key);
  struct peri_dead dead = {0};
  bool was_there = false;
  peri_spin_lock(&place.shard->lock);
  peri_shard_detach(&place);
  struct peri_entry *entry = peri_shard_find(&place, now_ns, &dead);
  if (entry != NULL) {
    was_there = !peri_entry_absent(entry);
    peri_shard_unlink(place.shard, entry, &dead);
  }
  peri_spin_unlock(&place.shard->lock);
  peri_dead_release(&dead);
  return was_there;
}

/// Looks at the entries of one bucket. Returns how many steps that took.
static size_t sweep_bucket(struct peri_shard *shard, size_t bucket,
                           int64_t now_ns, struct peri_dead *dead) {
  size_t steps = 1;  // an empty bucket is work too
  struct peri_node *node = peri_table_bucket(&shard->entries, bucket);
  while (node != NULL) {
    struct peri_node *next = node->chain;
    struct peri_entry *entry = PERI_CONTAINER_OF(node, struct peri_entry, node);
    if (peri_entry_expired(entry, now_ns)) {
      shard->expired++;
      peri_shard_unlink(shard, entry, dead);
    }
    node = next;
    steps++;
  }
  return steps;
}

size_t peri_store_sweep(struct peri_store *store, uint32_t index,
                        size_t max_entries, int64_t now_ns) {
  if (index >= store->shard_count) {
    return 0;
  }
  struct peri_shard *shard = &store->shards[index];
  struct peri_dead dead = {0};
  size_t steps = 0;
  peri_spin_lock(&shard->lock);
  size_t before = shard->entries.count;
  // From the last bucket down: removing joins last buckets to lower ones, which
  // are then still to come.
  for (size_t i = shard->entries.buckets; i > 0 && steps < max_entries; i--) {
    if (shard->sweep_bucket == 0 ||
        shard->sweep_bucket > shard->entries.buckets) {
      shard->sweep_bucket = shard->entries.buckets;
    }
    shard->sweep_bucket--;
    steps += sweep_bucket(shard, shard->sweep_bucket, now_ns, &dead);
  }
  size_t removed = before - shard->entries.count;
  peri_spin_unlock(&shard->lock);
  peri_dead_release(&dead);
  return removed;
}

void peri_store_resize(struct peri_store *store, uint64_t budget_bytes) {
  uint64_t share_bytes = share(budget_bytes, store->shard_count);
  for (uint32_t i = 0; i < store->shard_count; i++) {
    struct peri_shard *shard = &store->shards[i];
    peri_spin_lock(&shard->lock);
    shard->budget_bytes = share_bytes;
    shard->limit_bytes =
        shard->bytes > share_bytes ? shard->bytes : share_bytes;
    peri_spin_unlock(&shard->lock);
  }
}

size_t peri_store_trim(struct peri_store *store, uint32_t index,
                       size_t max_entries, int64_t now_ns) {
  size_t removed = 0;
  size_t batch = 1;
  if (index >= store->shard_count) {
    return 0;
  }
  struct peri_shard *shard = &store->shards[index];
  while (batch > 0 && removed < max_entries) {
    struct peri_dead dead = {0};
    peri_spin_lock(&shard->lock);
    batch = shard->entries.count;
    (void)peri_shard_evict(shard, now_ns, &dead);
    batch -= shard->entries.count;
    peri_spin_unlock(&shard->lock);
    peri_dead_release(&dead);
    removed += batch;
    if (batch > 0) {
      move_some(store);
    }
  }
  return removed;
}

void peri_store_stats(struct peri_store *store,
                      struct peri_store_stats *ret_stats) {
  struct peri_store_stats stats = {0};
  for (uint32_t i = 0; i < store->shard_count; i++) {
    struct peri_shard *shard = &store->shards[i];
    peri_spin_lock(&shard->lock);
    stats.entries += shard->entries.count;
    stats.bytes += shard->bytes;
    stats.hits += shard->hits;
    stats.misses += shard->misses;
    stats.evictions += shard->evictions;
    stats.expired += shard->expired;
    stats.oversize += shard->oversize;
    stats.flights += shard->flight_count;
    stats.waiters += shard->waiter_count;
    peri_spin_unlock(&shard->lock);
  }
  stats.held_bytes = peri_pool_held_bytes(store->pool);
  *ret_stats = stats;
}
