#include "app/failures.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/grow.h"
#include "base/slice.h"

struct peri_failures {
  struct peri_arena *arena;  // of the texts
  struct peri_failure *items;
  size_t count;
  size_t capacity;
};

int peri_failures_new(struct peri_failures **ret_failures) {
  struct peri_failures *failures = calloc(1, sizeof(*failures));
  if (failures == NULL) {
    return PERI_ENOMEM;
  }
  failures->arena = peri_arena_new(0);
  if (failures->arena == NULL) {
    free(failures);
    return PERI_ENOMEM;
  }
  *ret_failures = failures;
  return 0;
}

void peri_failures_free(struct peri_failures *failures) {
  if (failures == NULL) {
    return;
  }
  peri_arena_free(failures->arena);
  free(failures->items);
  free(failures);
}

static int grow(struct peri_failures *failures) {
  struct peri_failure *items =
      peri_grow(failures->items, &failures->capacity, sizeof(*items));
  if (items == NULL) {
    return PERI_ENOMEM;
  }
  failures->items = items;
  return 0;
}

int peri_failures_put(struct peri_failures *failures, const char *kind,
                      const char *name, const char *words) {
  if (peri_failures_of(failures, kind, name) != NULL) {
    return 0;
  }
  if (failures->count == failures->capacity && grow(failures) < 0) {
    return PERI_ENOMEM;
  }
  struct peri_failure item = {
      .kind = peri_arena_copy(failures->arena, peri_slice_of(kind)),
      .name = peri_arena_copy(failures->arena, peri_slice_of(name)),
      .words = peri_arena_copy(failures->arena, peri_slice_of(words)),
  };
  if (item.kind == NULL || item.name == NULL || item.words == NULL) {
    return PERI_ENOMEM;
  }
  failures->items[failures->count++] = item;
  return 0;
}

int peri_failures_add(struct peri_failures *failures,
                      const struct peri_failures *other) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < other->count; i++) {
    const struct peri_failure *item = &other->items[i];
    rc = peri_failures_put(failures, item->kind, item->name, item->words);
  }
  return rc;
}

const struct peri_failure *peri_failures_at(
    const struct peri_failures *failures, size_t index) {
  return index < failures->count ? &failures->items[index] : NULL;
}

size_t peri_failures_count(const struct peri_failures *failures) {
  return failures->count;
}

const struct peri_failure *peri_failures_of(
    const struct peri_failures *failures, const char *kind, const char *name) {
  for (size_t i = 0; i < failures->count; i++) {
    const struct peri_failure *item = &failures->items[i];
    if (strcmp(item->kind, kind) == 0 && strcmp(item->name, name) == 0) {
      return item;
    }
  }
  return NULL;
}
