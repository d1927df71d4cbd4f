#include "registry/directory.h"

#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/slice.h"
#include "registry/directory_private.h"
#include "registry/record.h"

static struct peri_known *known_of(struct peri_name *name) {
  return PERI_CONTAINER_OF(name, struct peri_known, name);
}

static void free_known(struct peri_known *known) {
  peri_json_unref(known->metadata);
  free(known);
}

static void forget(void *ctx, struct peri_known *known) {
  struct peri_directory *directory = ctx;

  if (known->mod_revision > directory->floor) {
    directory->floor = known->mod_revision;
  }
  peri_names_remove(&directory->keys, &known->name);
  free_known(known);
}

int peri_directory_new(struct peri_slice service, struct peri_slice prefix,
                       uint64_t hold_ms,
                       struct peri_directory **ret_directory) {
  struct peri_directory *directory = calloc(1, sizeof(*directory));

  if (!directory) {
    return PERI_ENOMEM;
  }
  peri_places_init(&directory->places, hold_ms * 1000000U);
  directory->keys.seed = peri_hash_random_seed();
  directory->places.names.seed = directory->keys.seed;
  directory->places.forgotten = forget;
  directory->places.ctx = directory;
  directory->service = peri_slice_dup(service);
  directory->prefix = peri_slice_dup(prefix);
  directory->prefix_len = prefix.len;
  if (!directory->service || !directory->prefix) {
    peri_directory_free(directory);
    return PERI_ENOMEM;
  }
  *ret_directory = directory;
  return 0;
}

static void free_name(void *ctx, struct peri_name *name) {
  (void)ctx;
  free_known(known_of(name));
}

void peri_directory_free(struct peri_directory *directory) {
  if (!directory) {
    return;
  }
  peri_names_each(&directory->keys, free_name, NULL);
  peri_names_done(&directory->keys);
  peri_places_done(&directory->places);
  free(directory->service);
  free(directory->prefix);
  free(directory);
}

bool peri_directory_strip(const struct peri_directory *directory,
                          struct peri_slice *key) {
  if (key->len < directory->prefix_len ||
      memcmp(key->ptr, directory->prefix, directory->prefix_len) != 0) {
    return false;
  }
  key->ptr += directory->prefix_len;
  key->len -= directory->prefix_len;
  return true;
}

struct peri_known *peri_directory_known(const struct peri_directory *directory,
                                        struct peri_slice rest) {
  struct peri_name *name = peri_names_find(&directory->keys, rest);

  return name ? known_of(name) : NULL;
}

// A key that nothing is known of yet, which is the same as a deleted one.
static struct peri_known *make(struct peri_directory *directory,
                               struct peri_slice rest) {
  struct peri_known *known = calloc(1, sizeof(*known) + rest.len);

  if (!known) {
    return NULL;
  }
  memcpy(known->bytes, rest.ptr, rest.len);
  known->name.text = (struct peri_slice){known->bytes, rest.len};
  known->deleted = true;
  peri_list_init(&known->in_place);
  if (peri_names_add(&directory->keys, &known->name) < 0) {
    free(known);
    return NULL;
  }
  return known;
}

static bool is_stale(const struct peri_directory *directory,
                     const struct peri_known *known, int64_t mod_revision) {
  if (!known) {
    return !directory->loading && mod_revision < directory->floor;
  }
  bool anew = directory->loading && directory->regressed &&
              known->load != directory->load;
  return !anew && mod_revision <= known->mod_revision;
}

struct put {
  struct peri_slice value;
  int64_t mod_revision;
  int64_t lease;
  uint64_t digest;
};

static void stamp(struct peri_directory *directory, struct peri_known *known,
                  const struct put *put) {
  known->mod_revision = put->mod_revision;
  known->lease = put->lease;
  known->digest = put->digest;
  if (directory->loading) {
    known->load = directory->load;
  }
}

// Takes the key out of what it stood for, unless that is `place`.
static void unlink_known(struct peri_directory *directory,
                         struct peri_known *known, struct peri_place *place) {
  struct peri_place *old = known->place;

  if (known->deleted) {
    directory->live++;
    if (old && old != place) {
      known->place = NULL;
      peri_place_drop(&directory->places, old);
    }
  } else if (!old) {
    directory->invalid--;
  } else if (old != place) {
    peri_place_leave(&directory->places, known);
  }
}

// What the key says from now on; `record` and `place` are NULL for a bad one.
static void commit(struct peri_directory *directory, struct peri_known *known,
                   const struct put *put, const struct peri_record *record,
                   struct peri_place *place) {
  unlink_known(directory, known, place);
  bool joined = !known->deleted && known->place;
  known->deleted = false;
  peri_json_unref(known->metadata);
  known->metadata = record ? peri_json_ref(record->metadata) : NULL;
  known->zone = record ? record->zone : peri_slice_of(NULL);
  known->weight = record ? record->weight : 0;
  stamp(directory, known, put);
  directory->places.changed = directory->places.changed || joined;
  if (!place) {
    directory->invalid++;
  } else if (!joined) {
    peri_place_join(&directory->places, place, known,
                    directory->loading && !directory->loaded);
  }
}

static int no_memory(struct peri_problem *ret_problem) {
  return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
}

static int apply(struct peri_directory *directory, struct peri_slice rest,
                 struct peri_known *known, const struct put *put,
                 struct peri_problem *ret_problem) {
  struct peri_record_read read = {0};
  struct peri_place *place = NULL;
  bool made = !known;
  int bad = peri_record_read(put->value, &read, ret_problem);

  if (bad == PERI_ENOMEM) {
    return bad;
  }
  if (made) {
    known = make(directory, rest);
    if (!known) {
      goto fail_read;
    }
  }
  if (bad == 0) {
    place = peri_places_take(&directory->places, read.record.address);
    if (!place) {
      goto fail_known;
    }
  }
  commit(directory, known, put, bad == 0 ? &read.record : NULL, place);
  peri_record_done(&read);
  return bad;

fail_known:
  if (made) {
    peri_names_remove(&directory->keys, &known->name);
    free_known(known);
  }
fail_read:
  peri_record_done(&read);
  return no_memory(ret_problem);
}

// Puts the key before the words of a problem, as far as it can be shown.
static void name_key(struct peri_problem *problem, struct peri_slice key) {
  char words[sizeof(problem->text)];
  char shown[129];
  size_t len = key.len < sizeof(shown) ? key.len : sizeof(shown) - 1;

  for (size_t i = 0; i < len; i++) {
    shown[i] = '?';
    if (key.ptr[i] >= 0x20 && key.ptr[i] < 0x7f) {
      shown[i] = key.ptr[i];
    }
  }
  shown[len] = '\0';
  memcpy(words, problem->text, sizeof(words));
  peri_problem_set(problem, problem->code, "key \"%s%s\": %s", shown,
                   len < key.len ? "..." : "", words);
}

int peri_directory_put(struct peri_directory *directory, struct peri_slice key,
                       struct peri_slice value, int64_t mod_revision,
                       int64_t lease, uint64_t now_ns,
                       struct peri_problem *ret_problem) {
  struct put put = {value, mod_revision, lease, 0};
  struct peri_problem problem;
  struct peri_slice rest = key;

  peri_places_age(&directory->places, now_ns);
  if (!peri_directory_strip(directory, &rest)) {
    return 0;
  }
  struct peri_known *known = peri_directory_known(directory, rest);
  if (is_stale(directory, known, mod_revision)) {
    if (known && directory->loading) {
      known->load = directory->load;
    }
    return 0;
  }
  put.digest = peri_hash_xxh3(value, directory->keys.seed);
  if (known && !known->deleted && known->place && known->digest == put.digest) {
    // Said again; which of several keys is the newest may be another now.
    stamp(directory, known, &put);
    if (known->place->keys.next != known->place->keys.prev) {
      directory->places.changed = true;
    }
    return 0;
  }
  int rc = apply(directory, rest, known, &put, &problem);
  if (rc < 0 && ret_problem) {
    name_key(&problem, key);
    *ret_problem = problem;
  }
  return rc;
}

static void erase(struct peri_directory *directory, struct peri_known *known,
                  int64_t mod_revision) {
  directory->live--;
  directory->invalid -= !known->place;
  known->deleted = true;
  known->mod_revision = mod_revision;
  known->lease = 0;
  if (!known->place || !peri_place_delete(&directory->places, known)) {
    forget(directory, known);
  }
}

int peri_directory_delete(struct peri_directory *directory,
                          struct peri_slice key, int64_t mod_revision,
                          uint64_t now_ns) {
  peri_places_age(&directory->places, now_ns);
  if (!peri_directory_strip(directory, &key)) {
    return 0;
  }
  struct peri_known *known = peri_directory_known(directory, key);
  if (!known) {
    if (mod_revision > directory->floor) {
      directory->floor = mod_revision;
    }
  } else if (mod_revision > known->mod_revision && known->deleted) {
    known->mod_revision = mod_revision;
  } else if (mod_revision > known->mod_revision) {
    erase(directory, known, mod_revision);
    peri_places_judge(&directory->places, false);
  }
  return 0;
}

void peri_directory_load_begin(struct peri_directory *directory,
                               bool regressed) {
  directory->load++;
  directory->loading = true;
  directory->regressed = regressed;
}

struct sweep {
  struct peri_directory *directory;
  int64_t revision;
};

static void sweep_name(void *ctx, struct peri_name *name) {
  const struct sweep *sweep = ctx;
  struct peri_directory *directory = sweep->directory;
  struct peri_known *known = known_of(name);

  if (known->load == directory->load) {
    return;
  }
  bool older = known->mod_revision <= sweep->revision;
  if (!known->deleted && (older || directory->regressed)) {
    erase(directory, known, sweep->revision);
  } else if (known->deleted && directory->regressed && !older) {
    // A deletion of before counts for no more than the new beginning.
    known->mod_revision = sweep->revision;
  }
}

int peri_directory_load_end(struct peri_directory *directory, int64_t revision,
                            uint64_t now_ns) {
  struct sweep sweep = {directory, revision};

  if (!directory->loading) {
    return PERI_EINVAL;
  }
  peri_places_age(&directory->places, now_ns);
  peri_names_each(&directory->keys, sweep_name, &sweep);
  peri_places_judge(&directory->places, directory->regressed);
  if (directory->regressed) {
    directory->floor = revision;
  }
  directory->loading = false;
  directory->loaded = true;
  return 0;
}

void peri_directory_load_abort(struct peri_directory *directory) {
  directory->loading = false;
}
