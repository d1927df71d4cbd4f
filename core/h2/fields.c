#include "h2/fields.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum { FIELD_OVERHEAD_BYTES = 32 };  // RFC 9113, section 6.5.2

void peri_h2_fields_init(struct peri_h2_fields *set,
                         struct peri_h2_field *fields,
                         struct nghttp2_rcbuf **bufs, uint32_t capacity) {
  memset(set, 0, sizeof(*set));
  set->fields = fields;
  set->bufs = bufs;
  set->capacity = capacity;
}

static int grow(struct peri_h2_fields *set) {
  uint32_t capacity = set->capacity * 2;
  struct peri_h2_field *fields =
      malloc(capacity * (sizeof(*fields) + 2 * sizeof(*set->bufs)));
  if (fields == NULL) {
    return PERI_ENOMEM;
  }
  struct nghttp2_rcbuf **bufs =
      (struct nghttp2_rcbuf **)(void *)(fields + capacity);
  memcpy(fields, set->fields, set->count * sizeof(*fields));
  memcpy(bufs, set->bufs, 2 * (size_t)set->count * sizeof(*bufs));
  if (set->heap) {
    free(set->fields);
  }
  set->fields = fields;
  set->bufs = bufs;
  set->capacity = capacity;
  set->heap = true;
  return 0;
}

size_t peri_h2_fields_cost(struct nghttp2_rcbuf *name,
                           struct nghttp2_rcbuf *value) {
  return nghttp2_rcbuf_get_buf(name).len + nghttp2_rcbuf_get_buf(value).len +
         FIELD_OVERHEAD_BYTES;
}

int peri_h2_fields_add(struct peri_h2_fields *set, struct nghttp2_rcbuf *name,
                       struct nghttp2_rcbuf *value, uint8_t flags,
                       uint32_t limit_bytes) {
  nghttp2_vec name_vec = nghttp2_rcbuf_get_buf(name);
  nghttp2_vec value_vec = nghttp2_rcbuf_get_buf(value);
  set->bytes += peri_h2_fields_cost(name, value);
  if (set->bytes > limit_bytes) {
    return PERI_ELIMIT;
  }
  if (set->count == set->capacity && grow(set) < 0) {
    return PERI_ENOMEM;
  }
  struct peri_h2_field *field = &set->fields[set->count];
  field->name.ptr = (const char *)name_vec.base;
  field->name.len = name_vec.len;
  field->value.ptr = (const char *)value_vec.base;
  field->value.len = value_vec.len;
  field->secret = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
  nghttp2_rcbuf_incref(name);
  nghttp2_rcbuf_incref(value);
  struct nghttp2_rcbuf **bufs = set->bufs + 2 * (size_t)set->count;
  bufs[0] = name;
  bufs[1] = value;
  set->count++;
  return 0;
}

bool peri_h2_fields_find(const struct peri_h2_fields *set, const char *name,
                         struct peri_slice *ret_value) {
  size_t len = strlen(name);
  for (uint32_t i = 0; i < set->count; i++) {
    const struct peri_h2_field *field = &set->fields[i];
    if (field->name.len == len && memcmp(field->name.ptr, name, len) == 0) {
      *ret_value = field->value;
      return true;
    }
  }
  return false;
}

void peri_h2_fields_clear(struct peri_h2_fields *set) {
  for (uint32_t i = 0; i < 2 * set->count; i++) {
    nghttp2_rcbuf_decref(set->bufs[i]);
  }
  set->count = 0;
  set->bytes = 0;
}

void peri_h2_fields_done(struct peri_h2_fields *set) {
  peri_h2_fields_clear(set);
  if (set->heap) {
    free(set->fields);
    set->heap = false;
  }
  set->fields = NULL;
  set->bufs = NULL;
  set->capacity = 0;
}
