#include "store/flight.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "store/entry.h"
#include "store/private.h"

enum {
  MAX_KEY_BYTES = 1 << 30,
  HAND_OVER_BATCH = 256  // waiters handed over under one hold of the lock
};

/// What one look under the lock led to.
enum look { LOOK_HIT, LOOK_WAIT, LOOK_FULL, LOOK_NONE, LOOK_NOMEM, LOOK_LEAD };

static int flight_new(const struct peri_place *place,
                      struct peri_flight **ret_flight) {
  size_t len = place->key.len;
  if (len > MAX_KEY_BYTES) {
    return PERI_ELIMIT;
  }
  struct peri_flight *flight = malloc(sizeof(*flight) + len);
  if (flight == NULL) {
    return PERI_ENOMEM;
  }
  *flight = (struct peri_flight){
      .node = {.hash = place->hash, .key_len = (uint32_t)len},
      .shard = place->index,
  };
  peri_list_init(&flight->waiters);
  if (len > 0) {
    memcpy(flight + 1, place->key.ptr, len);
  }
  *ret_flight = flight;
  return 0;
}

static void queue(const struct peri_place *place, struct peri_flight *flight,
                  struct peri_waiter *waiter) {
  waiter->flight = flight;
  waiter->shard = place->index;
  peri_list_push(&flight->waiters, &waiter->link);
  flight->waiter_count++;
  place->shard->waiter_count++;
}

/// Joins what there is, or starts `fresh` when that is not NULL. Under the
/// lock.
static enum look look(const struct peri_store *store,
                      const struct peri_place *place, struct peri_flight *fresh,
                      struct peri_waiter *waiter) {
  struct peri_shard *shard = place->shard;
  struct peri_node *node =
      peri_table_find(&shard->flights, place->key, place->hash);
  if (node != NULL) {
    struct peri_flight *flight =
        PERI_CONTAINER_OF(node, struct peri_flight, node);
    if (flight->waiter_count >= store->max_waiters) {
      return LOOK_FULL;
    }
    queue(place, flight, waiter);
    return LOOK_WAIT;
  }
  if (fresh == NULL) {
    return LOOK_NONE;
  }
  if (peri_table_insert(&shard->flights, &fresh->node) < 0) {
    return LOOK_NOMEM;
  }
  shard->flight_count++;
  queue(place, fresh, waiter);
  return LOOK_LEAD;
}

/// Looks for the value first, then for a flight.
static enum look look_up(const struct peri_store *store,
                         const struct peri_place *place, int64_t now_ns,
                         struct peri_flight *fresh, struct peri_waiter *waiter,
                         struct peri_entry **ret_entry) {
  struct peri_dead dead = {0};
  enum look found = LOOK_HIT;
  peri_spin_lock(&place->shard->lock);
  struct peri_entry *entry = peri_shard_find(place, now_ns, &dead);
  if (entry != NULL) {
    peri_shard_use(place->shard, entry);
    *ret_entry = peri_entry_ref(entry);
  } else {
    found = look(store, place, fresh, waiter);
  }
  peri_spin_unlock(&place->shard->lock);
  peri_dead_release(&dead);
  return found;
}

int peri_store_join(struct peri_store *store, struct peri_slice key,
                    int64_t now_ns, struct peri_waiter *waiter,
                    struct peri_entry **ret_entry,
                    struct peri_flight **ret_flight) {
  struct peri_place place = peri_store_place(store, key);
  struct peri_flight *fresh = NULL;
  enum look found = look_up(store, &place, now_ns, NULL, waiter, ret_entry);
  if (found == LOOK_NONE) {
    // Allocated without the lock; another may have been first meanwhile.
    int rc = flight_new(&place, &fresh);
    if (rc < 0) {
      return rc;
    }
    found = look_up(store, &place, now_ns, fresh, waiter, ret_entry);
  }
  if (found == LOOK_LEAD) {
    *ret_flight = fresh;
    return PERI_JOIN_LEAD;
  }
  free(fresh);
  switch (found) {
    case LOOK_HIT:
      return PERI_JOIN_HIT;
    case LOOK_WAIT:
      return PERI_JOIN_WAIT;
    case LOOK_FULL:
      return PERI_ELIMIT;
    default:
      return PERI_ENOMEM;
  }
}

/// Moves up to a batch of waiters to `to`. Under the lock. Returns whether
/// there are more.
static bool hand_over(struct peri_shard *shard, struct peri_flight *flight,
                      struct peri_list *to) {
  for (unsigned i = 0; i < HAND_OVER_BATCH; i++) {
    if (peri_list_empty(&flight->waiters)) {
      return false;
    }
    struct peri_waiter *waiter =
        PERI_CONTAINER_OF(flight->waiters.next, struct peri_waiter, link);
    peri_list_remove(&waiter->link);
    peri_list_push(to, &waiter->link);
    waiter->flight = NULL;
    flight->waiter_count--;
    shard->waiter_count--;
  }
  return true;
}

void peri_store_finish(struct peri_store *store, struct peri_flight *flight,
                       const struct peri_entry *entry, int64_t now_ns,
                       struct peri_list *ret_waiters) {
  struct peri_place place = {
      .shard = &store->shards[flight->shard],
      .key = peri_flight_key(flight),
      .hash = flight->node.hash,
      .index = flight->shard,
  };
  struct peri_fresh fresh = {0};
  struct peri_dead dead = {0};
  bool evict_more = false;
  peri_list_init(ret_waiters);
  if (entry != NULL) {
    fresh = peri_store_fresh(store, &place, entry, now_ns);
  }

  peri_spin_lock(&place.shard->lock);
  place.shard->flight_count--;
  if (!flight->detached) {
    peri_table_remove(&place.shard->flights, &flight->node);
    if (entry != NULL) {
      // Without memory for it the waiters get the value all the same.
      (void)peri_shard_put(&place, &fresh, &dead);
      fresh.copy = NULL;
      evict_more = peri_shard_evict(place.shard, now_ns, &dead);
    }
  }
  bool more = hand_over(place.shard, flight, ret_waiters);
  peri_spin_unlock(&place.shard->lock);

  // Nobody can join any more, but some may leave between the batches.
  while (more) {
    peri_spin_lock(&place.shard->lock);
    more = hand_over(place.shard, flight, ret_waiters);
    peri_spin_unlock(&place.shard->lock);
  }
  peri_entry_unref(fresh.copy);  // of a detached flight
  peri_store_settle(store, place.shard, evict_more, now_ns, &dead);
  free(flight);
}

bool peri_store_leave(struct peri_store *store, struct peri_waiter *waiter) {
  struct peri_shard *shard = &store->shards[waiter->shard];
  peri_spin_lock(&shard->lock);
  struct peri_flight *flight = waiter->flight;
  if (flight != NULL) {
    peri_list_remove(&waiter->link);
    waiter->flight = NULL;
    flight->waiter_count--;
    shard->waiter_count--;
  }
  peri_spin_unlock(&shard->lock);
  return flight != NULL;
}

struct peri_slice peri_flight_key(const struct peri_flight *flight) {
  return (struct peri_slice){.ptr = (const char *)(flight + 1),
                             .len = flight->node.key_len};
}
