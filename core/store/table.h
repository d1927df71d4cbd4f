#pragma once

#include "base/types.h"

/// What a table holds: embed it as the first field. The key's bytes lie
/// `key_offset` bytes behind it.
struct peri_node {
  struct peri_node *chain;
  uint32_t hash;
  uint32_t key_len;
};

/// A hash table by linear hashing: it grows and shrinks one bucket at a time,
/// so no call is ever slow and its memory follows what it holds (about 8 bytes
/// a node). Zero-initialise it and set `key_offset`. Not thread-safe.
struct peri_table {
  struct peri_node ***segments;
  uint32_t buckets;  // in use
  uint32_t mask;     // smallest 2^n - 1 that is at least buckets - 1
  uint32_t count;    // nodes held
  uint32_t key_offset;
  uint32_t segment_cap;    // length of `segments`
  uint32_t segment_count;  // segments allocated
};

/// The node with that key, or NULL.
struct peri_node *peri_table_find(const struct peri_table *table,
                                  struct peri_slice key, uint32_t hash);

/// Adds a node whose key is not there. @return 0 or PERI_ENOMEM.
int peri_table_insert(struct peri_table *table, struct peri_node *node);

/// Takes out a node that is there.
void peri_table_remove(struct peri_table *table, struct peri_node *node);

/// The first node of bucket number `index`, which is below `buckets`.
struct peri_node *peri_table_bucket(const struct peri_table *table,
                                    size_t index);

/// Frees the table's own memory, not the nodes.
void peri_table_done(struct peri_table *table);
