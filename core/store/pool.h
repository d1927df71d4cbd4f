#pragma once

#include "base/types.h"

struct peri_entry;
/// The memory of one store's entries. A general heap falls to pieces when the
/// sizes of what is cached change: live and free memory mix until half as much
/// again is resident. Here small entries lie in blocks of equal slots, and
/// blocks that have become sparse are emptied by moving what is in them; larger
/// entries have pages of their own. Any thread.
struct peri_pool;

/// Where a block came from.
enum peri_pool_kind {
  PERI_POOL_NONE = 0,  // malloc's
  PERI_POOL_SLOT = 1,
  PERI_POOL_SPAN = 2
};

/// @return 0 or PERI_ENOMEM.
int peri_pool_new(struct peri_pool **ret_pool);

/// Lets the pool go once the last piece of it is freed.
void peri_pool_close(struct peri_pool *pool);

/// What `bytes` take up in a pool, or 0 when that is more than a pool gives.
size_t peri_pool_round(size_t bytes);

/// Memory for an entry of `bytes` in all. Its reference count is 0 until the
/// caller has written the rest. NULL when out of memory or too large.
struct peri_entry *peri_pool_alloc(struct peri_pool *pool, size_t bytes,
                                   enum peri_pool_kind *ret_kind);

/// Frees an entry of a pool; its reference count is 0.
void peri_pool_release(struct peri_entry *entry, enum peri_pool_kind kind,
                       size_t bytes);

/// When too much of the pool lies idle in sparse blocks: up to `max` entries,
/// with a reference each, that are to be replaced by copies.
size_t peri_pool_sparse(struct peri_pool *pool, struct peri_entry **ret_entries,
                        size_t max);

/// Bytes taken from the system for entries.
uint64_t peri_pool_held_bytes(struct peri_pool *pool);
