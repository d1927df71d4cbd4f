#pragma once

#include "base/types.h"
#include "h2/stream.h"

struct nghttp2_rcbuf;

/// One header block as received: each name and value is a reference to
/// nghttp2's own buffer, never a copy. Loop thread only.
struct peri_h2_fields {
  struct peri_h2_field *fields;
  struct nghttp2_rcbuf **bufs;  // two for each field
  uint32_t count;
  uint32_t capacity;
  uint64_t bytes;  // as SETTINGS_MAX_HEADER_LIST_SIZE counts: 32 for each field
  bool heap;
};

/// An empty set over memory that the caller lends for the first fields.
void peri_h2_fields_init(struct peri_h2_fields *set,
                         struct peri_h2_field *fields,
                         struct nghttp2_rcbuf **bufs, uint32_t capacity);

/// What a field counts in SETTINGS_MAX_HEADER_LIST_SIZE.
size_t peri_h2_fields_cost(struct nghttp2_rcbuf *name,
                           struct nghttp2_rcbuf *value);

/// Adds a field (`flags` are nghttp2's of it) and takes a reference to both
/// buffers. @return 0, PERI_ELIMIT (over `limit_bytes`; nothing is added from
/// then on) or PERI_ENOMEM.
int peri_h2_fields_add(struct peri_h2_fields *set, struct nghttp2_rcbuf *name,
                       struct nghttp2_rcbuf *value, uint8_t flags,
                       uint32_t limit_bytes);

/// The first value of that name; false when absent.
bool peri_h2_fields_find(const struct peri_h2_fields *set, const char *name,
                         struct peri_slice *ret_value);

/// Drops every field; the memory is kept for the next.
void peri_h2_fields_clear(struct peri_h2_fields *set);

/// Drops every field and frees what was allocated.
void peri_h2_fields_done(struct peri_h2_fields *set);
