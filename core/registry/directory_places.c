#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/grow.h"
#include "registry/directory_private.h"

// How far back deletions are looked at together.
static const uint64_t WINDOW_NS = 2000000000U;

enum { FEWEST = 2 };

static struct peri_place *first_of(const struct peri_list *list, bool young) {
  if (young) {
    return PERI_CONTAINER_OF(list->next, struct peri_place, in_young);
  }
  return PERI_CONTAINER_OF(list->next, struct peri_place, in_window);
}

void peri_places_init(struct peri_places *places, uint64_t hold_ns) {
  places->hold_ns = hold_ns;
  peri_list_init(&places->young);
  peri_list_init(&places->window);
}

static void free_place(void *ctx, struct peri_name *name) {
  (void)ctx;
  free(PERI_CONTAINER_OF(name, struct peri_place, name));
}

void peri_places_done(struct peri_places *places) {
  peri_names_each(&places->names, free_place, NULL);
  peri_names_done(&places->names);
  free(places->suspects);
  places->suspects = NULL;
}

// Room for every place to be suspect: a deletion must not run out of memory.
static int reserve(struct peri_places *places) {
  if (places->names.count < places->suspect_capacity) {
    return 0;
  }
  struct peri_place **suspects = peri_grow(
      places->suspects, &places->suspect_capacity, sizeof(struct peri_place *));
  if (!suspects) {
    return PERI_ENOMEM;
  }
  places->suspects = suspects;
  return 0;
}

struct peri_place *peri_places_take(struct peri_places *places,
                                    struct peri_slice address) {
  struct peri_name *name = peri_names_find(&places->names, address);

  if (name) {
    return PERI_CONTAINER_OF(name, struct peri_place, name);
  }
  if (reserve(places) < 0) {
    return NULL;
  }
  struct peri_place *place = calloc(1, sizeof(*place) + address.len + 1);
  if (!place) {
    return NULL;
  }
  memcpy(place->bytes, address.ptr, address.len);
  place->name.text = (struct peri_slice){place->bytes, address.len};
  place->state = PERI_PLACE_GONE;
  peri_list_init(&place->keys);
  peri_list_init(&place->in_young);
  peri_list_init(&place->in_window);
  if (peri_names_add(&places->names, &place->name) < 0) {
    free(place);
    return NULL;
  }
  return place;
}

static void leave_suspects(struct peri_places *places,
                           struct peri_place *place) {
  struct peri_place *last = places->suspects[--places->suspect_count];

  places->suspects[place->suspect_index] = last;
  last->suspect_index = place->suspect_index;
  places->changed = true;
}

static void leave_window(struct peri_places *places, struct peri_place *place) {
  if (place->recent) {
    peri_list_remove(&place->in_window);
    place->recent = false;
    places->window_old -= !place->young;
  }
}

// Takes the place out of every count and list; its state is the caller's.
static void detach(struct peri_places *places, struct peri_place *place) {
  if (place->state == PERI_PLACE_LIVE) {
    places->live--;
    places->live_old -= !place->young;
    places->changed = true;
  } else if (place->state == PERI_PLACE_SUSPECT) {
    leave_suspects(places, place);
  }
  leave_window(places, place);
}

void peri_place_drop(struct peri_places *places, struct peri_place *place) {
  detach(places, place);
  peri_list_remove(&place->in_young);
  peri_names_remove(&places->names, &place->name);
  free(place);
}

static void forget(struct peri_places *places, struct peri_place *place) {
  struct peri_known *ghost = place->ghost;

  peri_place_drop(places, place);
  places->forgotten(places->ctx, ghost);
}

void peri_place_join(struct peri_places *places, struct peri_place *place,
                     struct peri_known *known, bool ever) {
  struct peri_known *ghost = place->ghost;

  if (place->state != PERI_PLACE_LIVE) {
    detach(places, place);
    // Who comes back was there all the time, for those who count.
    if (!ghost) {
      place->since_ns = ever ? 0 : places->now_ns;
      place->young = !ever;
      if (place->young) {
        peri_list_push(&places->young, &place->in_young);
      }
    }
    place->state = PERI_PLACE_LIVE;
    place->ghost = NULL;
    places->live++;
    places->live_old += !place->young;
  }
  peri_list_push(&place->keys, &known->in_place);
  known->place = place;
  places->changed = true;
  if (ghost && ghost != known) {
    places->forgotten(places->ctx, ghost);
  }
}

void peri_place_leave(struct peri_places *places, struct peri_known *known) {
  struct peri_place *place = known->place;

  peri_list_remove(&known->in_place);
  known->place = NULL;
  places->changed = true;
  if (peri_list_empty(&place->keys)) {
    peri_place_drop(places, place);
  }
}

bool peri_place_delete(struct peri_places *places, struct peri_known *known) {
  struct peri_place *place = known->place;

  peri_list_remove(&known->in_place);
  places->changed = true;
  if (!peri_list_empty(&place->keys)) {
    known->place = NULL;
    return false;
  }
  detach(places, place);
  place->state = PERI_PLACE_GONE;
  place->ghost = known;
  place->recent = true;
  place->deleted_ns = places->now_ns;
  peri_list_push(&places->window, &place->in_window);
  places->window_old += !place->young;
  return true;
}

void peri_places_judge(struct peri_places *places, bool all) {
  size_t had = places->live_old + places->window_old;

  if (!all && (places->window_old < FEWEST || places->window_old * 2 < had)) {
    return;
  }
  // Those that stand before a judged one were judged with it.
  for (struct peri_list *node = places->window.prev; node != &places->window;
       node = node->prev) {
    struct peri_place *place =
        PERI_CONTAINER_OF(node, struct peri_place, in_window);
    if (place->state != PERI_PLACE_GONE) {
      break;
    }
    place->state = PERI_PLACE_SUSPECT;
    place->until_ns = places->now_ns + places->hold_ns;
    place->suspect_index = places->suspect_count;
    places->suspects[places->suspect_count++] = place;
    places->changed = true;
  }
}

void peri_place_refute(struct peri_places *places, struct peri_place *place) {
  if (!place->recent) {
    forget(places, place);
    return;
  }
  // It still counts among those that went, but is not believed in again.
  leave_suspects(places, place);
  place->state = PERI_PLACE_REFUTED;
}

void peri_places_age(struct peri_places *places, uint64_t now_ns) {
  if (now_ns > places->now_ns) {
    places->now_ns = now_ns;
  }
  while (!peri_list_empty(&places->young)) {
    struct peri_place *place = first_of(&places->young, true);
    if (place->since_ns + WINDOW_NS > places->now_ns) {
      break;
    }
    peri_list_remove(&place->in_young);
    place->young = false;
    places->live_old += place->state == PERI_PLACE_LIVE;
    places->window_old += place->recent;
  }
  while (!peri_list_empty(&places->window)) {
    struct peri_place *place = first_of(&places->window, false);
    if (place->deleted_ns + WINDOW_NS >= places->now_ns) {
      break;
    }
    leave_window(places, place);
    if (place->state != PERI_PLACE_SUSPECT) {
      forget(places, place);
    }
  }
}

uint64_t peri_places_tick(struct peri_places *places, uint64_t now_ns) {
  uint64_t next = 0;

  peri_places_age(places, now_ns);
  // From the end: who leaves is replaced by one that was looked at already.
  for (size_t i = places->suspect_count; i-- > 0;) {
    struct peri_place *place = places->suspects[i];
    if (place->until_ns <= places->now_ns) {
      peri_place_refute(places, place);
    } else if (next == 0 || place->until_ns < next) {
      next = place->until_ns;
    }
  }
  if (!peri_list_empty(&places->window)) {
    uint64_t left =
        first_of(&places->window, false)->deleted_ns + WINDOW_NS + 1;
    next = next == 0 || left < next ? left : next;
  }
  return next;
}
