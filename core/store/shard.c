#include <sched.h>

#include "base/container.h"
#include "base/error.h"
#include "store/entry.h"
#include "store/private.h"

enum {
  SPINS = 100,         // looks at a taken lock before yielding
  EVICT_BATCH = 64,    // entries taken out under one hold of the lock
  EXACT_UP_TO = 1024,  // entries in a shard whose every use counts
  RECENT_PART = 2      // of a larger one, not moved when used
};

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

void peri_spin_wait(struct peri_spin *spin) {
  unsigned spins = 0;
  do {
    while (atomic_load_explicit(&spin->taken, memory_order_relaxed) != 0) {
      if (++spins < SPINS) {
        pause_briefly();
      } else {
        // Its holder may have lost the processor; let it run.
        sched_yield();
        spins = 0;
      }
    }
  } while (atomic_exchange_explicit(&spin->taken, 1, memory_order_acquire) !=
           0);
}

static struct peri_entry *entry_of(struct peri_node *node) {
  return PERI_CONTAINER_OF(node, struct peri_entry, node);
}

static void bury(struct peri_entry *entry, struct peri_dead *dead) {
  entry->node.chain = dead->first;
  dead->first = &entry->node;
}

void peri_shard_unlink(struct peri_shard *shard, struct peri_entry *entry,
                       struct peri_dead *dead) {
  peri_table_remove(&shard->entries, &entry->node);
  peri_list_remove(&entry->used);
  entry->used.next = NULL;
  shard->bytes -= peri_entry_charge_bytes(entry);
  bury(entry, dead);
}

struct peri_entry *peri_shard_find(const struct peri_place *place,
                                   int64_t now_ns, struct peri_dead *dead) {
  struct peri_node *node =
      peri_table_find(&place->shard->entries, place->key, place->hash);
  if (node == NULL) {
    return NULL;
  }
  struct peri_entry *entry = entry_of(node);
  if (peri_entry_expired(entry, now_ns)) {
    place->shard->expired++;
    peri_shard_unlink(place->shard, entry, dead);
    return NULL;
  }
  return entry;
}

/// Puts an entry that is in no list last.
static void put_last(struct peri_shard *shard, struct peri_entry *entry) {
  shard->tick++;
  entry->used_at = shard->tick;
  peri_list_push(&shard->used, &entry->used);
}

void peri_shard_use(struct peri_shard *shard, struct peri_entry *entry) {
  uint32_t count = shard->entries.count;
  uint32_t recent = count <= EXACT_UP_TO ? 0 : count / RECENT_PART;
  if (shard->tick - entry->used_at > recent) {
    peri_list_remove(&entry->used);
    put_last(shard, entry);
  }
}

int peri_shard_put(const struct peri_place *place, struct peri_fresh *fresh,
                   struct peri_dead *dead) {
  struct peri_shard *shard = place->shard;
  struct peri_entry *copy = fresh->copy;
  struct peri_node *old =
      peri_table_find(&shard->entries, place->key, place->hash);
  if (old != NULL) {
    peri_shard_unlink(shard, entry_of(old), dead);
  }
  if (fresh->code == PERI_ELIMIT) {
    shard->oversize++;
  }
  if (copy == NULL) {
    return fresh->code;
  }
  copy->node.hash = place->hash;
  int rc = peri_table_insert(&shard->entries, &copy->node);
  if (rc < 0) {
    bury(copy, dead);
    return rc;
  }
  put_last(shard, copy);
  shard->bytes += peri_entry_charge_bytes(copy);
  return 0;
}

void peri_shard_swap(const struct peri_place *place, struct peri_entry *old,
                     struct peri_entry *copy, struct peri_dead *dead) {
  struct peri_table *entries = &place->shard->entries;
  if (old->used.next == NULL) {
    bury(copy, dead);  // evicted or replaced meanwhile
    return;
  }
  peri_table_remove(entries, &old->node);
  copy->node.hash = place->hash;
  if (peri_table_insert(entries, &copy->node) < 0) {
    // It cannot fail in a table that has buckets; the entry would be lost.
    bury(copy, dead);
    place->shard->bytes -= peri_entry_charge_bytes(old);
  } else {
    peri_list_push(&old->used, &copy->used);
    copy->used_at = old->used_at;
  }
  peri_list_remove(&old->used);
  old->used.next = NULL;
  bury(old, dead);
}

bool peri_shard_evict(struct peri_shard *shard, int64_t now_ns,
                      struct peri_dead *dead) {
  uint64_t budget_bytes = shard->budget_bytes;
  if (budget_bytes == 0) {
    return false;
  }
  for (unsigned i = 0; i < EVICT_BATCH && shard->bytes > budget_bytes; i++) {
    struct peri_entry *entry =
        PERI_CONTAINER_OF(shard->used.next, struct peri_entry, used);
    if (peri_entry_expired(entry, now_ns)) {
      shard->expired++;
    } else {
      shard->evictions++;
    }
    peri_shard_unlink(shard, entry, dead);
  }
  if (shard->bytes < shard->limit_bytes) {
    shard->limit_bytes =
        shard->bytes > budget_bytes ? shard->bytes : budget_bytes;
  }
  return shard->bytes > shard->limit_bytes;
}

void peri_shard_trim(struct peri_shard *shard, int64_t now_ns) {
  bool more = true;
  while (more) {
    struct peri_dead dead = {0};
    peri_spin_lock(&shard->lock);
    more = peri_shard_evict(shard, now_ns, &dead);
    peri_spin_unlock(&shard->lock);
    peri_dead_release(&dead);
  }
}

void peri_shard_detach(const struct peri_place *place) {
  struct peri_table *flights = &place->shard->flights;
  struct peri_node *node = peri_table_find(flights, place->key, place->hash);
  if (node != NULL) {
    struct peri_flight *flight =
        PERI_CONTAINER_OF(node, struct peri_flight, node);
    peri_table_remove(flights, node);
    flight->detached = true;
  }
}

void peri_dead_release(struct peri_dead *dead) {
  while (dead->first != NULL) {
    struct peri_node *node = dead->first;
    dead->first = node->chain;
    peri_entry_unref(entry_of(node));
  }
}
