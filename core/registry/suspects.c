#include "registry/suspects.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "base/slice.h"
#include "registry/directory.h"
#include "registry/probe.h"

enum { MOST = 256, EVERY_MS = 500, TIMEOUT_MS = 750 };

struct suspect {
  struct peri_list node;
  struct peri_suspects *owner;
  struct peri_probe *probe;
  char *address;
  bool wanted;
};

struct peri_suspects {
  struct peri_loop *loop;
  struct peri_list list;
  size_t count;
  void (*gone)(void *ctx, struct peri_slice address);
  void *ctx;
};

static void drop(struct suspect *suspect) {
  suspect->owner->count--;
  peri_list_remove(&suspect->node);
  peri_probe_free(suspect->probe);
  free(suspect->address);
  free(suspect);
}

static void on_probe(void *ctx, bool healthy, const char *why) {
  struct suspect *suspect = ctx;
  (void)why;
  if (!healthy) {
    // Comes back as a sync, in which it is wanted no more.
    suspect->owner->gone(suspect->owner->ctx, peri_slice_of(suspect->address));
  }
}

int peri_suspects_new(struct peri_loop *loop,
                      void (*gone)(void *ctx, struct peri_slice address),
                      void *ctx, struct peri_suspects **ret_suspects) {
  struct peri_suspects *suspects = calloc(1, sizeof(*suspects));
  if (suspects == NULL) {
    return PERI_ENOMEM;
  }
  suspects->loop = loop;
  suspects->gone = gone;
  suspects->ctx = ctx;
  peri_list_init(&suspects->list);
  *ret_suspects = suspects;
  return 0;
}

static struct suspect *find(struct peri_suspects *suspects,
                            struct peri_slice address) {
  for (struct peri_list *node = suspects->list.next; node != &suspects->list;
       node = node->next) {
    struct suspect *suspect = PERI_CONTAINER_OF(node, struct suspect, node);
    if (peri_slice_is(address, suspect->address)) {
      return suspect;
    }
  }
  return NULL;
}

/// One that cannot be asked (a name, no memory) is left to its time.
static void add(struct peri_suspects *suspects, struct peri_slice address) {
  struct suspect *suspect =
      suspects->count < MOST ? calloc(1, sizeof(*suspect)) : NULL;
  if (suspect == NULL) {
    return;
  }
  suspect->owner = suspects;
  suspect->wanted = true;
  suspect->address = peri_slice_dup(address);
  peri_list_push(&suspects->list, &suspect->node);
  suspects->count++;
  struct peri_probe_options options = {
      .loop = suspects->loop,
      .kind = PERI_PROBE_TCP,
      .address = address,
      .every_ms = EVERY_MS,
      .timeout_ms = TIMEOUT_MS,
      .changed = on_probe,
      .ctx = suspect,
  };
  struct peri_problem problem;
  if (suspect->address == NULL ||
      peri_probe_new(&options, &suspect->probe, &problem) < 0) {
    drop(suspect);
  }
}

void peri_suspects_sync(struct peri_suspects *suspects,
                        const struct peri_directory *directory) {
  struct peri_list *node, *next;
  for (node = suspects->list.next; node != &suspects->list; node = node->next) {
    PERI_CONTAINER_OF(node, struct suspect, node)->wanted = false;
  }
  for (size_t i = 0; i < peri_directory_suspects(directory); i++) {
    struct peri_slice address =
        peri_slice_of(peri_directory_suspect(directory, i));
    struct suspect *known = find(suspects, address);
    if (known != NULL) {
      known->wanted = true;
    } else {
      add(suspects, address);
    }
  }
  for (node = suspects->list.next; node != &suspects->list; node = next) {
    struct suspect *suspect = PERI_CONTAINER_OF(node, struct suspect, node);
    next = node->next;
    if (!suspect->wanted) {
      drop(suspect);
    }
  }
}

void peri_suspects_free(struct peri_suspects *suspects) {
  if (suspects == NULL) {
    return;
  }
  struct peri_list *node;
  while ((node = peri_list_pop(&suspects->list)) != NULL) {
    drop(PERI_CONTAINER_OF(node, struct suspect, node));
  }
  free(suspects);
}
