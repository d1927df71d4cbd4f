#include "registry/status.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/container.h"
#include "base/error.h"
#include "base/slice.h"
#include "registry/status_private.h"

enum { BLOCK_BYTES = 4096 };

struct held {
  struct peri_registry_status status;
  struct peri_arena *arena;
};

struct copying {
  struct peri_arena *arena;
  bool failed;
};

static const char *text(struct copying *copying, const char *from) {
  const char *copied =
      peri_arena_copy(copying->arena, peri_slice_of(from != NULL ? from : ""));
  copying->failed = copying->failed || copied == NULL;
  return copied;
}

static void *take(struct copying *copying, size_t bytes) {
  void *memory = peri_arena_alloc(copying->arena, bytes > 0 ? bytes : 1);
  copying->failed = copying->failed || memory == NULL;
  return memory;
}

static void copy_services(struct copying *copying,
                          const struct peri_registry_status *from,
                          struct peri_registry_status *to) {
  struct peri_service_status *services =
      take(copying, from->service_count * sizeof(*services));
  for (size_t i = 0; !copying->failed && i < from->service_count; i++) {
    services[i] = from->services[i];
    services[i].name = text(copying, from->services[i].name);
  }
  to->services = services;
}

static void copy_own(struct copying *copying,
                     const struct peri_registry_status *from,
                     struct peri_registry_status *to) {
  struct peri_own_status *own = take(copying, from->own_count * sizeof(*own));
  for (size_t i = 0; !copying->failed && i < from->own_count; i++) {
    own[i].service = text(copying, from->own[i].service);
    own[i].address = text(copying, from->own[i].address);
    own[i].state = text(copying, from->own[i].state);
    own[i].reason = text(copying, from->own[i].reason);
  }
  to->own = own;
}

int peri_registry_status_copy(const struct peri_registry_status *from,
                              struct peri_registry_status **ret_status) {
  struct held *held = calloc(1, sizeof(*held));
  if (held == NULL) {
    return PERI_ENOMEM;
  }
  held->arena = peri_arena_new(BLOCK_BYTES);
  if (held->arena == NULL) {
    free(held);
    return PERI_ENOMEM;
  }
  struct copying copying = {.arena = held->arena};
  struct peri_registry_status *to = &held->status;
  *to = *from;
  to->kind = text(&copying, from->kind);
  to->state = text(&copying, from->state);
  to->reason = text(&copying, from->reason);
  to->trouble = text(&copying, from->trouble);
  to->endpoint = text(&copying, from->endpoint);
  copy_services(&copying, from, to);
  copy_own(&copying, from, to);
  if (copying.failed) {
    peri_registry_status_unref(to);
    return PERI_ENOMEM;
  }
  *ret_status = to;
  return 0;
}

void peri_registry_status_unref(struct peri_registry_status *status) {
  if (status == NULL) {
    return;
  }
  struct held *held = PERI_CONTAINER_OF(status, struct held, status);
  peri_arena_free(held->arena);
  free(held);
}
