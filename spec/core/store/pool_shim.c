#include "store/pool_shim.h"

#include <string.h>

#include "store/private.h"

enum { LARGEST_SLOT = 7680 };

struct peri_entry *peri_pool_test_take(struct peri_pool *pool, size_t bytes,
                                       bool written) {
  enum peri_pool_kind kind = PERI_POOL_NONE;
  struct peri_entry *entry = peri_pool_alloc(pool, bytes, &kind);
  if (entry != NULL) {
    memset(entry + 1, 'x', bytes - sizeof(*entry));
    atomic_store(&entry->refs, written ? 1 : 0);
  }
  return entry;
}

unsigned peri_pool_test_refs(const struct peri_entry *entry) {
  return atomic_load(&entry->refs);
}

void peri_pool_test_drop(struct peri_entry *entry, size_t bytes) {
  unsigned before = atomic_load(&entry->refs);
  if (before > 0) {
    before = atomic_fetch_sub(&entry->refs, 1);
  }
  if (before <= 1) {
    peri_pool_release(
        entry, bytes > LARGEST_SLOT ? PERI_POOL_SPAN : PERI_POOL_SLOT, bytes);
  }
}
