#include <stdlib.h>

#include "base/container.h"
#include "base/slice.h"
#include "model/peers.h"
#include "registry/directory_private.h"

bool peri_directory_changed(const struct peri_directory *directory) {
  return directory->places.changed;
}

static const struct peri_known *newest_key(const struct peri_place *place) {
  const struct peri_known *newest = NULL;

  for (const struct peri_list *node = place->keys.next; node != &place->keys;
       node = node->next) {
    const struct peri_known *known =
        PERI_CONTAINER_OF(node, struct peri_known, in_place);
    if (!newest || known->mod_revision > newest->mod_revision) {
      newest = known;
    }
  }
  return newest;
}

struct list {
  struct peri_endpoint_init *inits;
  size_t count;
};

static void add_place(void *ctx, struct peri_name *name) {
  struct list *list = ctx;
  const struct peri_place *place =
      PERI_CONTAINER_OF(name, struct peri_place, name);
  const struct peri_known *known = NULL;

  if (place->state == PERI_PLACE_LIVE) {
    known = newest_key(place);
  } else if (place->state == PERI_PLACE_SUSPECT) {
    known = place->ghost;
  }
  if (known) {
    struct peri_endpoint_init *init = &list->inits[list->count++];
    init->address = place->name.text;
    init->zone = known->zone;
    init->weight = known->weight;
    init->suspect = place->state == PERI_PLACE_SUSPECT;
    init->metadata = known->metadata;
  }
}

int peri_directory_peers(struct peri_directory *directory,
                         struct peri_slice self_address,
                         struct peri_peers **ret_peers,
                         struct peri_problem *ret_problem) {
  struct peri_places *places = &directory->places;
  struct list list = {
      calloc(places->live + places->suspect_count + 1, sizeof(*list.inits)), 0};

  if (!list.inits) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  peri_names_each(&places->names, add_place, &list);
  int rc = peri_peers_new(directory->service, list.inits, list.count,
                          self_address, ret_peers, ret_problem);
  free(list.inits);
  if (rc == 0) {
    places->changed = false;
  }
  return rc;
}

size_t peri_directory_suspects(const struct peri_directory *directory) {
  return directory->places.suspect_count;
}

const char *peri_directory_suspect(const struct peri_directory *directory,
                                   size_t index) {
  return index < directory->places.suspect_count
             ? directory->places.suspects[index]->bytes
             : NULL;
}

void peri_directory_refuted(struct peri_directory *directory,
                            struct peri_slice address, uint64_t now_ns) {
  struct peri_places *places = &directory->places;

  peri_places_age(places, now_ns);
  struct peri_name *name = peri_names_find(&places->names, address);
  struct peri_place *place =
      name ? PERI_CONTAINER_OF(name, struct peri_place, name) : NULL;
  if (place && place->state == PERI_PLACE_SUSPECT) {
    peri_place_refute(places, place);
  }
}

uint64_t peri_directory_tick(struct peri_directory *directory,
                             uint64_t now_ns) {
  return peri_places_tick(&directory->places, now_ns);
}

size_t peri_directory_keys(const struct peri_directory *directory) {
  return directory->live;
}

static void see_newest(void *ctx, struct peri_name *name) {
  const struct peri_known *known =
      PERI_CONTAINER_OF(name, struct peri_known, name);
  int64_t *newest = ctx;

  if (!known->deleted && known->mod_revision > *newest) {
    *newest = known->mod_revision;
  }
}

int64_t peri_directory_newest(const struct peri_directory *directory) {
  int64_t newest = 0;

  peri_names_each(&directory->keys, see_newest, &newest);
  return newest;
}

size_t peri_directory_invalid(const struct peri_directory *directory) {
  return directory->invalid;
}

bool peri_directory_find(const struct peri_directory *directory,
                         struct peri_slice key, int64_t *ret_lease,
                         int64_t *ret_mod_revision) {
  if (!peri_directory_strip(directory, &key)) {
    return false;
  }
  const struct peri_known *known = peri_directory_known(directory, key);
  if (!known || known->deleted) {
    return false;
  }
  *ret_lease = known->lease;
  *ret_mod_revision = known->mod_revision;
  return true;
}
