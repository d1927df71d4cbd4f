#include "store/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { SEGMENT_BUCKETS = 256, FIRST_BUCKETS = 16 };

static struct peri_node **slot(const struct peri_table *table, size_t index) {
  return &table->segments[index / SEGMENT_BUCKETS][index % SEGMENT_BUCKETS];
}

static struct peri_node **slot_of(const struct peri_table *table,
                                  uint32_t hash) {
  size_t index = hash & table->mask;
  if (index >= table->buckets) {
    index &= table->mask >> 1;  // that bucket is not split yet
  }
  return slot(table, index);
}

struct peri_node *peri_table_find(const struct peri_table *table,
                                  struct peri_slice key, uint32_t hash) {
  if (table->count == 0) {
    return NULL;
  }
  struct peri_node *node = *slot_of(table, hash);
  // The key may go over into the next cache line; both are fetched at once.
  __builtin_prefetch((const void *)((uintptr_t)node + 64));
  while (node != NULL) {
    if (node->hash == hash && node->key_len == key.len &&
        (key.len == 0 || memcmp((const char *)node + table->key_offset, key.ptr,
                                key.len) == 0)) {
      return node;
    }
    node = node->chain;
  }
  return NULL;
}

/// Makes sure that bucket number `index`, at most one beyond the last, exists.
static int reach(struct peri_table *table, size_t index) {
  size_t number = index / SEGMENT_BUCKETS;
  if (number < table->segment_count) {
    return 0;
  }
  if (number >= table->segment_cap) {
    uint32_t cap = table->segment_cap == 0 ? 4 : table->segment_cap * 2;
    struct peri_node ***segments =
        realloc(table->segments, cap * sizeof(*segments));
    if (segments == NULL) {
      return PERI_ENOMEM;
    }
    table->segments = segments;
    table->segment_cap = cap;
  }
  struct peri_node **segment = calloc(SEGMENT_BUCKETS, sizeof(*segment));
  if (segment == NULL) {
    return PERI_ENOMEM;
  }
  table->segments[number] = segment;
  table->segment_count++;
  return 0;
}

/// Adds a bucket and moves to it what belongs there. Out of memory only makes
/// the chains longer.
static void grow(struct peri_table *table) {
  uint32_t index = table->buckets;
  if (reach(table, index) < 0) {
    return;
  }
  table->buckets++;
  if (index > table->mask) {
    table->mask = table->mask * 2 + 1;
  }
  struct peri_node **from = slot(table, index & (table->mask >> 1));
  struct peri_node **to = slot(table, index);
  while (*from != NULL) {
    struct peri_node *node = *from;
    if ((node->hash & table->mask) == index) {
      *from = node->chain;
      node->chain = *to;
      *to = node;
    } else {
      from = &node->chain;
    }
  }
}

/// Joins the last bucket to the one it was split from.
static void shrink(struct peri_table *table) {
  size_t index = table->buckets - 1;
  struct peri_node **from = slot(table, index);
  struct peri_node **to = slot(table, index & (table->mask >> 1));
  while (*to != NULL) {
    to = &(*to)->chain;
  }
  *to = *from;
  *from = NULL;
  table->buckets--;
  if (table->buckets - 1 <= table->mask >> 1) {
    table->mask >>= 1;
  }
  // One spare segment stays, or a table at the edge would keep allocating.
  if (table->segment_count > index / SEGMENT_BUCKETS + 2) {
    table->segment_count--;
    free(table->segments[table->segment_count]);
  }
}

int peri_table_insert(struct peri_table *table, struct peri_node *node) {
  if (table->buckets == 0) {
    int rc = reach(table, 0);
    if (rc < 0) {
      return rc;
    }
    table->buckets = FIRST_BUCKETS;
    table->mask = FIRST_BUCKETS - 1;
  }
  struct peri_node **at = slot_of(table, node->hash);
  node->chain = *at;
  *at = node;
  table->count++;
  if (table->count > table->buckets) {
    grow(table);
  }
  return 0;
}

void peri_table_remove(struct peri_table *table, struct peri_node *node) {
  struct peri_node **at = slot_of(table, node->hash);
  while (*at != node) {
    at = &(*at)->chain;
  }
  *at = node->chain;
  node->chain = NULL;
  table->count--;
  for (int i = 0; i < 2; i++) {
    if (table->buckets > FIRST_BUCKETS && table->count < table->buckets / 2) {
      shrink(table);
    }
  }
}

struct peri_node *peri_table_bucket(const struct peri_table *table,
                                    size_t index) {
  return *slot(table, index);
}

void peri_table_done(struct peri_table *table) {
  for (size_t i = 0; i < table->segment_count; i++) {
    free(table->segments[i]);
  }
  free(table->segments);
  *table = (struct peri_table){.key_offset = table->key_offset};
}
