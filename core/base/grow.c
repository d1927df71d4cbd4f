#include "base/grow.h"

#include <stdlib.h>

enum { FIRST_ITEMS = 8 };

void *peri_grow(void *items, size_t *capacity, size_t item_bytes) {
  size_t wanted = FIRST_ITEMS;
  size_t bytes = 0;
  if (*capacity > 0 && __builtin_mul_overflow(*capacity, 2, &wanted)) {
    return NULL;
  }
  if (__builtin_mul_overflow(wanted, item_bytes, &bytes)) {
    return NULL;
  }
  void *grown = realloc(items, bytes);
  if (grown != NULL) {
    *capacity = wanted;
  }
  return grown;
}
