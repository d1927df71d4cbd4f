#include "store/entry.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/private.h"

enum {
  MAX_LEN = 1 << 30,
  SLOT_BYTES = 8,         // the index: about one bucket an entry
  CHUNK_HEADER = 8,       // what malloc adds,
  CHUNK_ALIGN = 16,       // and what it rounds up to,
  MAPPED_ALIGN = 4096,    // also for blocks of their own pages,
  MAPPED_FROM = 1 << 17,  // which begin here
};

static const uint32_t ABSENT = UINT32_C(1) << 31;

int peri_entry_new(struct peri_slice key, struct peri_slice value,
                   int64_t expire_ns, bool absent,
                   struct peri_entry **ret_entry) {
  size_t value_len = absent ? 0 : value.len;
  if (key.len > MAX_LEN || value_len > MAX_LEN) {
    return PERI_ELIMIT;
  }
  struct peri_entry *entry = malloc(sizeof(*entry) + key.len + value_len);
  if (entry == NULL) {
    return PERI_ENOMEM;
  }
  *entry = (struct peri_entry){
      .node = {.key_len = (uint32_t)key.len},
      .expire_ns = expire_ns,
      .value_len = (uint32_t)value_len | (absent ? ABSENT : 0),
  };
  atomic_init(&entry->refs, 1);
  char *bytes = (char *)(entry + 1);
  if (key.len > 0) {
    memcpy(bytes, key.ptr, key.len);
  }
  if (value_len > 0) {
    memcpy(bytes + key.len, value.ptr, value_len);
  }
  *ret_entry = entry;
  return 0;
}

struct peri_entry *peri_entry_ref(struct peri_entry *entry) {
  atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
  return entry;
}

void peri_entry_unref(struct peri_entry *entry) {
  if (entry != NULL &&
      atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1) {
    free(entry);
  }
}

struct peri_slice peri_entry_key(const struct peri_entry *entry) {
  return (struct peri_slice){.ptr = (const char *)(entry + 1),
                             .len = entry->node.key_len};
}

struct peri_slice peri_entry_value(const struct peri_entry *entry) {
  return (struct peri_slice){
      .ptr = (const char *)(entry + 1) + entry->node.key_len,
      .len = entry->value_len & ~ABSENT};
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
  uint64_t bytes = sizeof(*entry) + entry->node.key_len +
                   (entry->value_len & ~ABSENT) + CHUNK_HEADER;
  uint64_t align = bytes < MAPPED_FROM ? CHUNK_ALIGN : MAPPED_ALIGN;
  return (bytes + align - 1) / align * align + SLOT_BYTES;
}
