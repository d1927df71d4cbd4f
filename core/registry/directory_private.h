#pragma once

#include "base/list.h"
#include "registry/directory.h"

struct peri_json;

/// A name in a peri_names table: the first field of what it stands for. The
/// bytes belong to the latter.
struct peri_name {
  struct peri_name *next;
  uint64_t hash;
  struct peri_slice text;
};

/// A hash table over names, seeded, as keys come from strangers.
/// Zero-initialise it but for the seed.
struct peri_names {
  struct peri_name **buckets;
  size_t capacity;
  size_t count;
  uint64_t seed;
};

struct peri_name *peri_names_find(const struct peri_names *names,
                                  struct peri_slice text);
/// Adds a name whose `text` is set and not in the table. 0 or PERI_ENOMEM.
int peri_names_add(struct peri_names *names, struct peri_name *name);
void peri_names_remove(struct peri_names *names, struct peri_name *name);
/// Calls `visit` for each name, which it may remove.
void peri_names_each(const struct peri_names *names,
                     void (*visit)(void *ctx, struct peri_name *name),
                     void *ctx);
/// Frees the table, not the names.
void peri_names_done(struct peri_names *names);

struct peri_place;

/// A key of the range, as last put; or a deleted one that is remembered for as
/// long as its place is.
struct peri_known {
  struct peri_name name;  // the key without the directory's prefix
  int64_t mod_revision;   // of the deletion, if `deleted`
  int64_t lease;
  uint64_t digest;           // of the value
  struct peri_place *place;  // NULL for a record that is bad
  struct peri_list in_place;
  struct peri_json *metadata;  // a reference, NULL if there is none
  struct peri_slice zone;      // belongs to `metadata`
  uint32_t weight;
  uint32_t load;  // number of the reading that had it last
  bool deleted;
  char bytes[];
};

enum peri_place_state {
  PERI_PLACE_LIVE = 0,     // keys name it
  PERI_PLACE_GONE = 1,     // deleted, and remembered for a while
  PERI_PLACE_SUSPECT = 2,  // deleted, and held
  PERI_PLACE_REFUTED = 3   // was suspect; remembered for a while
};

/// An address that keys name, or named until not long ago.
struct peri_place {
  struct peri_name name;  // the address, NUL-terminated
  enum peri_place_state state;
  bool young;                // not there yet at the window's beginning
  bool recent;               // deleted within the window
  struct peri_list keys;     // of peri_known.in_place
  struct peri_known *ghost;  // the last key, once it is deleted
  uint64_t since_ns;
  uint64_t deleted_ns;
  uint64_t until_ns;     // of a suspect
  size_t suspect_index;  // of a suspect
  struct peri_list in_young;
  struct peri_list in_window;
  char bytes[];
};

/// Which places come and go, and which of them are held.
struct peri_places {
  struct peri_names names;
  uint64_t hold_ns;
  uint64_t now_ns;          // the latest that was given
  struct peri_list young;   // by since_ns
  struct peri_list window;  // by deleted_ns
  size_t live_old;          // live, and there when the window began
  size_t window_old;        // deleted within the window, and there before it
  size_t live;              // live in all
  struct peri_place **suspects;
  size_t suspect_count;
  size_t suspect_capacity;  // at least names.count
  bool changed;
  /// A place is dropped, and with it its ghost.
  void (*forgotten)(void *ctx, struct peri_known *ghost);
  void *ctx;
};

void peri_places_init(struct peri_places *places, uint64_t hold_ns);
/// Frees all places; their ghosts and keys are the caller's.
void peri_places_done(struct peri_places *places);

/// The place of an address, made when there is none (GONE then, with nothing to
/// remember). NULL when out of memory.
struct peri_place *peri_places_take(struct peri_places *places,
                                    struct peri_slice address);
/// A key names the place, which is live from now on. `ever`: it counts as
/// there since ever.
void peri_place_join(struct peri_places *places, struct peri_place *place,
                     struct peri_known *known, bool ever);
/// A key names it no more, because it says something else: a place that nobody
/// names is dropped.
void peri_place_leave(struct peri_places *places, struct peri_known *known);
/// A key is deleted. Returns whether it stays, as ghost of its place.
bool peri_place_delete(struct peri_places *places, struct peri_known *known);
/// Looks whether what was deleted is too much to be believed; `all`: it is, in
/// any case.
void peri_places_judge(struct peri_places *places, bool all);
/// A place whose ghost says something else now, or that has none: dropped.
void peri_place_drop(struct peri_places *places, struct peri_place *place);
void peri_place_refute(struct peri_places *places, struct peri_place *place);
/// Time goes on: forgets what left the window.
void peri_places_age(struct peri_places *places, uint64_t now_ns);
/// As peri_directory_tick().
uint64_t peri_places_tick(struct peri_places *places, uint64_t now_ns);

struct peri_directory {
  char *service;
  char *prefix;
  size_t prefix_len;
  struct peri_names keys;
  struct peri_places places;
  size_t live;     // keys that are not deleted
  size_t invalid;  // of them, those whose record is bad
  int64_t floor;   // newest of the deletions that are remembered no more
  uint32_t load;
  bool loading;
  bool regressed;
  bool loaded;  // at least once to its end
};

/// Takes the prefix off a key; false when it is outside of the range.
bool peri_directory_strip(const struct peri_directory *directory,
                          struct peri_slice *key);
/// What is known of a key without its prefix, deleted or not; NULL when
/// nothing.
struct peri_known *peri_directory_known(const struct peri_directory *directory,
                                        struct peri_slice rest);
