#include "store/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/private.h"

enum {
  MAX_LEN = 1 << 28,
  SLOT_BYTES = 8,  // the index: about one bucket an entry
  KIND_SHIFT = 29
};

/// What is in the upper bits of `value_len`.
static const uint32_t ABSENT = UINT32_C(1) << 31;
static const uint32_t KIND = UINT32_C(3) << KIND_SHIFT;

static size_t value_len(const struct peri_entry *entry) {
  return entry->value_len & ~(ABSENT | KIND);
}

static size_t total_bytes(const struct peri_entry *entry) {
  return sizeof(*entry) + entry->node.key_len + value_len(entry);
}

int peri_entry_new(struct peri_slice key, struct peri_slice value,
                   int64_t expire_ns, bool absent,
                   struct peri_entry **ret_entry) {
  size_t len = absent ? 0 : value.len;
  if (key.len > MAX_LEN || len > MAX_LEN) {
    return PERI_ELIMIT;
  }
  struct peri_entry *entry = malloc(sizeof(*entry) + key.len + len);
  if (entry == NULL) {
    return PERI_ENOMEM;
  }
  *entry = (struct peri_entry){
      .node = {.key_len = (uint32_t)key.len},
      .expire_ns = expire_ns,
      .value_len = (uint32_t)len | (absent ? ABSENT : 0),
  };
  atomic_init(&entry->refs, 1);
  char *bytes = (char *)(entry + 1);
  if (key.len > 0) {
    memcpy(bytes, key.ptr, key.len);
  }
  if (len > 0) {
    memcpy(bytes + key.len, value.ptr, len);
  }
  *ret_entry = entry;
  return 0;
}

int peri_entry_copy(const struct peri_entry *entry, struct peri_pool *pool,
                    struct peri_entry **ret_entry) {
  enum peri_pool_kind kind = PERI_POOL_NONE;
  struct peri_entry *copy = peri_pool_alloc(pool, total_bytes(entry), &kind);
  if (copy == NULL) {
    return PERI_ENOMEM;
  }
  // Where the original is linked is not ours to read here.
  copy->node = (struct peri_node){.key_len = entry->node.key_len};
  copy->used = (struct peri_list){0};
  copy->expire_ns = entry->expire_ns;
  copy->value_len = (entry->value_len & ~KIND) | ((uint32_t)kind << KIND_SHIFT);
  memcpy(copy + 1, entry + 1, total_bytes(entry) - sizeof(*entry));
  // Only now may somebody who walks the pool look at the rest.
  atomic_store_explicit(&copy->refs, 1, memory_order_release);
  *ret_entry = copy;
  return 0;
}

struct peri_entry *peri_entry_ref(struct peri_entry *entry) {
  atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
  return entry;
}

void peri_entry_unref(struct peri_entry *entry) {
  if (entry == NULL ||
      atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) > 1) {
    return;
  }
  enum peri_pool_kind kind = (entry->value_len & KIND) >> KIND_SHIFT;
  if (kind == PERI_POOL_NONE) {
    free(entry);
  } else {
    peri_pool_release(entry, kind, total_bytes(entry));
  }
}

struct peri_slice peri_entry_key(const struct peri_entry *entry) {
  return (struct peri_slice){.ptr = (const char *)(entry + 1),
                             .len = entry->node.key_len};
}

struct peri_slice peri_entry_value(const struct peri_entry *entry) {
  return (struct peri_slice){
      .ptr = (const char *)(entry + 1) + entry->node.key_len,
      .len = value_len(entry)};
}

int64_t peri_entry_expire_ns(const struct peri_entry *entry) {
  return entry->expire_ns;
}

bool peri_entry_absent(const struct peri_entry *entry) {
  return (entry->value_len & ABSENT) != 0;
}

bool peri_entry_expired(const struct peri_entry *entry, int64_t now_ns) {
  return entry->expire_ns != 0 && entry->expire_ns <= now_ns;
}

uint64_t peri_entry_charge_bytes(const struct peri_entry *entry) {
  size_t bytes = peri_pool_round(total_bytes(entry));
  return bytes == 0 ? UINT64_MAX : bytes + SLOT_BYTES;
}
