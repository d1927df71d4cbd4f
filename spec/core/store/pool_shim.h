#pragma once

#include "base/types.h"
#include "store/pool.h"

/// Takes memory for `bytes` and marks it as a written entry with one reference,
/// or, unless `written`, with none.
struct peri_entry *peri_pool_test_take(struct peri_pool *pool, size_t bytes,
                                       bool written);

/// The references that an entry has.
unsigned peri_pool_test_refs(const struct peri_entry *entry);

/// Drops a reference; the last one frees.
void peri_pool_test_drop(struct peri_entry *entry, size_t bytes);
