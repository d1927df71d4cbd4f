#pragma once

#include "base/types.h"

struct peri_entry;
/// A sharded least-recently-used cache in memory, with the loads ("flights",
/// see store/flight.h) that are under way for its keys. Every function may be
/// called by any thread; none blocks beyond a shard's short lock.
struct peri_store;

/// What a store is made of.
struct peri_store_options {
  uint32_t shards;        // 0 for 16
  uint32_t max_waiters;   // of one flight; 0 for 100,000
  uint64_t budget_bytes;  // shared out evenly over the shards; 0 is unlimited
};

/// Sums over the shards. Each number is exact, but they are read shard after
/// shard while others write.
struct peri_store_stats {
  uint64_t entries;     // held now
  uint64_t bytes;       // charged for them now
  uint64_t hits;        // peri_store_get() that found
  uint64_t misses;      // and those that did not
  uint64_t evictions;   // pushed out before they expired
  uint64_t expired;     // removed because they expired
  uint64_t oversize;    // refused for their size
  uint64_t flights;     // under way now, also those detached
  uint64_t waiters;     // waiting on them now
  uint64_t held_bytes;  // taken from the system for entries
};

/// @return 0, PERI_ENOMEM or PERI_EINVAL (more than 65,536 shards).
int peri_store_new(const struct peri_store_options *options,
                   struct peri_store **ret_store);

/// Drops all entries. No flight may be under way, and no other thread may still
/// use the store. NULL is fine.
void peri_store_free(struct peri_store *store);

/// How many shards it has.
uint32_t peri_store_shards(const struct peri_store *store);

/// FNV-1a 32 of the key modulo the number of shards.
uint32_t peri_store_shard_of(const struct peri_store *store,
                             struct peri_slice key);

/// Finds `key` and marks it recently used (in a shard of over 1,024 entries
/// unless it is in the more recent half anyway). `*ret_entry` is a new
/// reference (it may be absent: a remembered not-found). What is expired at
/// `now_ns` (Unix) is removed. @return 0 or PERI_ENOTFOUND.
int peri_store_get(struct peri_store *store, struct peri_slice key,
                   int64_t now_ns, struct peri_entry **ret_entry);

/// The same, leaving recency, hits and misses as they are.
int peri_store_peek(struct peri_store *store, struct peri_slice key,
                    int64_t now_ns, struct peri_entry **ret_entry);

/// Stores a copy of `entry` under its key, in place of what was there, and
/// detaches a running flight of the key: what that loads is not stored. Pushes
/// out the least recently used entries of the shard while it is over its
/// budget. An entry that has expired already only removes what was there.
/// @return 0; PERI_ELIMIT when it is charged more than a quarter of the shard's
/// budget, or is over 32 MiB (the old value of the key is removed and nothing
/// else); PERI_ENOMEM (likewise).
int peri_store_set(struct peri_store *store, const struct peri_entry *entry,
                   int64_t now_ns);

/// Removes `key` and detaches a running flight of it. Returns whether a value
/// (not expired, not a remembered not-found) was there.
bool peri_store_remove(struct peri_store *store, struct peri_slice key,
                       int64_t now_ns);

/// Looks at about `max_entries` entries of shard number `shard`, going on where
/// the last call for that shard ended, and removes those expired at `now_ns`.
/// Returns how many were removed.
size_t peri_store_sweep(struct peri_store *store, uint32_t shard,
                        size_t max_entries, int64_t now_ns);

/// Shares out another budget (0 is unlimited). What is over it goes little by
/// little, some with each value stored and the rest by peri_store_trim(), so
/// that nobody waits for it; meanwhile the shards do not grow. Any thread.
void peri_store_resize(struct peri_store *store, uint64_t budget_bytes);

/// Pushes out at most about `max_entries` of shard number `shard` that are over
/// its budget, least recently used first. Returns how many went; 0 when it is
/// within its budget.
size_t peri_store_trim(struct peri_store *store, uint32_t shard,
                       size_t max_entries, int64_t now_ns);

/// Reads the sums. Any thread.
void peri_store_stats(struct peri_store *store,
                      struct peri_store_stats *ret_stats);
