#include <stdlib.h>

#include "base/hash.h"
#include "base/slice.h"
#include "registry/directory_private.h"

enum { SMALLEST = 16 };

static struct peri_name **bucket(const struct peri_names *names,
                                 uint64_t hash) {
  return &names->buckets[hash & (names->capacity - 1)];
}

static void spread(struct peri_names *names, struct peri_name **old,
                   size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (struct peri_name *name = old[i], *next = NULL; name; name = next) {
      struct peri_name **first = bucket(names, name->hash);
      next = name->next;
      name->next = *first;
      *first = name;
    }
  }
}

static int grow(struct peri_names *names) {
  size_t capacity = names->capacity > 0 ? names->capacity * 2 : SMALLEST;
  struct peri_name **buckets = calloc(capacity, sizeof(struct peri_name *));
  struct peri_name **old = names->buckets;
  size_t count = names->capacity;

  if (!buckets) {
    return PERI_ENOMEM;
  }
  names->buckets = buckets;
  names->capacity = capacity;
  spread(names, old, count);
  free(old);
  return 0;
}

struct peri_name *peri_names_find(const struct peri_names *names,
                                  struct peri_slice text) {
  if (names->count == 0) {
    return NULL;
  }
  uint64_t hash = peri_hash_xxh3(text, names->seed);
  struct peri_name *name = *bucket(names, hash);
  while (name && (name->hash != hash || !peri_slice_equal(name->text, text))) {
    name = name->next;
  }
  return name;
}

int peri_names_add(struct peri_names *names, struct peri_name *name) {
  // A table that cannot grow gets slow, and stays right.
  if (names->count == names->capacity && grow(names) < 0 &&
      names->capacity == 0) {
    return PERI_ENOMEM;
  }
  name->hash = peri_hash_xxh3(name->text, names->seed);
  struct peri_name **first = bucket(names, name->hash);
  name->next = *first;
  *first = name;
  names->count++;
  return 0;
}

void peri_names_remove(struct peri_names *names, struct peri_name *name) {
  struct peri_name **at = bucket(names, name->hash);

  while (*at != name) {
    at = &(*at)->next;
  }
  *at = name->next;
  names->count--;
}

void peri_names_each(const struct peri_names *names,
                     void (*visit)(void *ctx, struct peri_name *name),
                     void *ctx) {
  for (size_t i = 0; i < names->capacity; i++) {
    for (struct peri_name *name = names->buckets[i], *next = NULL; name;
         name = next) {
      next = name->next;
      visit(ctx, name);
    }
  }
}

void peri_names_done(struct peri_names *names) {
  free(names->buckets);
  *names = (struct peri_names){0};
}
