#pragma once

#include <stdatomic.h>

#include "base/list.h"
#include "base/types.h"
#include "store/pool.h"
#include "store/table.h"

/// The store's inside, for the `.c` files of this room only.

/// Key and value follow the struct. 56 bytes on 64-bit machines.
struct peri_entry {
  struct peri_node node;
  struct peri_list used;  // in the shard's list; `next` is NULL in no store
  int64_t expire_ns;
  atomic_uint refs;
  uint32_t value_len;  // the top three bits are flags
  uint32_t used_at;    // the shard's tick when it was put last in its list
};

/// The key follows the struct.
struct peri_flight {
  struct peri_node node;
  struct peri_list waiters;
  uint32_t shard;
  uint32_t waiter_count;
  bool detached;  // a Set or Remove took it out of the table
};

/// A lock that spins shortly and then yields. A mutex would sleep, which costs
/// far more than what is done under it.
struct peri_spin {
  atomic_uint taken;
};

/// One shard; all but `lock` is touched under it only, but for readers of
/// `budget_bytes`. What a hit touches fills
/// the first cache line, since that travels between processors.
struct peri_shard {
  _Alignas(64) struct peri_spin lock;
  uint32_t tick;          // counts what is put last in the list
  struct peri_list used;  // least recently used first
  struct peri_table entries;
  uint64_t hits;
  uint64_t misses;
  // Written under the lock; 0 is unlimited.
  _Atomic uint64_t budget_bytes;
  uint64_t limit_bytes;  // not to be exceeded: the budget, or, while the shard
                         // shrinks to a smaller one, what it has come down to
  uint64_t bytes;
  uint64_t evictions;
  uint64_t expired;
  uint64_t oversize;
  struct peri_table flights;
  uint64_t flight_count;
  uint64_t waiter_count;
  size_t sweep_bucket;  // where the last sweep ended
};

/// See store.h.
struct peri_store {
  uint64_t seed;
  uint32_t shard_count;
  uint32_t max_waiters;
  struct peri_shard *shards;
  struct peri_pool *pool;  // where its entries lie
};

/// Where a key belongs, worked out before any lock is taken.
struct peri_place {
  struct peri_shard *shard;
  struct peri_slice key;
  uint32_t hash;
  uint32_t index;
};

/// Entries that left a shard, to be let go after its lock is.
struct peri_dead {
  struct peri_node *first;
};

/// A copy of `entry` in the pool, with one reference, linked nowhere.
/// @return 0 or PERI_ENOMEM.
int peri_entry_copy(const struct peri_entry *entry, struct peri_pool *pool,
                    struct peri_entry **ret_entry);

struct peri_place peri_store_place(const struct peri_store *store,
                                   struct peri_slice key);

/// The waiting part of peri_spin_lock().
void peri_spin_wait(struct peri_spin *spin);

static inline void peri_spin_lock(struct peri_spin *spin) {
  if (atomic_exchange_explicit(&spin->taken, 1, memory_order_acquire) != 0) {
    peri_spin_wait(spin);
  }
}

static inline void peri_spin_unlock(struct peri_spin *spin) {
  atomic_store_explicit(&spin->taken, 0, memory_order_release);
}

/// What follows a change, without a lock: lets go of what left, evicts the rest
/// and moves entries out of sparse memory.
void peri_store_settle(struct peri_store *store, struct peri_shard *shard,
                       bool evict_more, int64_t now_ns, struct peri_dead *dead);

/// All below are called under the shard's lock unless they say otherwise.

/// The entry of that place that has not expired, or NULL; an expired one is
/// taken out.
struct peri_entry *peri_shard_find(const struct peri_place *place,
                                   int64_t now_ns, struct peri_dead *dead);

/// Marks an entry recently used. In a large shard, one that is in the more
/// recent half stays where it is: moving what is hot with each hit would make
/// processors fight over it and its neighbours, for an order that decides
/// nothing there.
void peri_shard_use(struct peri_shard *shard, struct peri_entry *entry);

/// Takes an entry out.
void peri_shard_unlink(struct peri_shard *shard, struct peri_entry *entry,
                       struct peri_dead *dead);

/// What is to be stored for an entry, made before the lock is taken: a copy
/// with one reference, or NULL when nothing is stored and `code` says why (0
/// for what has expired).
struct peri_fresh {
  struct peri_entry *copy;
  int code;
};
struct peri_fresh peri_store_fresh(const struct peri_store *store,
                                   const struct peri_place *place,
                                   const struct peri_entry *entry,
                                   int64_t now_ns);

/// Puts what is fresh in place of what was there; as peri_store_set() says, but
/// leaves flights alone and does not evict. Consumes the copy.
int peri_shard_put(const struct peri_place *place, struct peri_fresh *fresh,
                   struct peri_dead *dead);

/// Replaces `old`, when it is still in the shard, by its copy, which keeps the
/// same place in the order of use. Consumes the copy.
void peri_shard_swap(const struct peri_place *place, struct peri_entry *old,
                     struct peri_entry *copy, struct peri_dead *dead);

/// Takes out least recently used entries until the shard is within its budget,
/// but only so many that the lock is not held long. Returns whether it is still
/// over its limit.
bool peri_shard_evict(struct peri_shard *shard, int64_t now_ns,
                      struct peri_dead *dead);

/// Goes on evicting, a batch under each hold of the lock, which the caller does
/// not hold.
void peri_shard_trim(struct peri_shard *shard, int64_t now_ns);

/// Lets a running flight of that place end without storing.
void peri_shard_detach(const struct peri_place *place);

/// Drops the references of entries taken out. Not under a lock.
void peri_dead_release(struct peri_dead *dead);
