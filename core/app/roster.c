#include "app/roster.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/grow.h"
#include "base/slice.h"
#include "script/script.h"

struct peri_roster {
  struct peri_arena *arena;  // of the texts
  struct peri_roster_entry *items;
  size_t count;
  size_t capacity;
};

int peri_roster_new(struct peri_roster **ret_roster) {
  struct peri_roster *roster = calloc(1, sizeof(*roster));
  if (roster == NULL) {
    return PERI_ENOMEM;
  }
  roster->arena = peri_arena_new(0);
  if (roster->arena == NULL) {
    free(roster);
    return PERI_ENOMEM;
  }
  *ret_roster = roster;
  return 0;
}

void peri_roster_free(struct peri_roster *roster) {
  if (roster == NULL) {
    return;
  }
  peri_arena_free(roster->arena);
  free(roster->items);
  free(roster);
}

static int compare(const struct peri_roster_entry *item, const char *kind,
                   const char *name) {
  int order = strcmp(item->kind, kind);
  return order != 0 ? order : strcmp(item->name, name);
}

/// Where a policy is, or belongs.
static size_t place_of(const struct peri_roster *roster, const char *kind,
                       const char *name) {
  size_t at = 0;
  while (at < roster->count && compare(&roster->items[at], kind, name) < 0) {
    at++;
  }
  return at;
}

static int grow(struct peri_roster *roster) {
  struct peri_roster_entry *items =
      peri_grow(roster->items, &roster->capacity, sizeof(*items));
  if (items == NULL) {
    return PERI_ENOMEM;
  }
  roster->items = items;
  return 0;
}

static const char *copy(struct peri_roster *roster, const char *text) {
  return peri_arena_copy(roster->arena,
                         peri_slice_of(text != NULL ? text : ""));
}

/// Makes room for what is not there yet.
static int insert(struct peri_roster *roster, size_t at,
                  const struct peri_roster_entry *from) {
  struct peri_roster_entry item = {
      .kind = copy(roster, from->kind),
      .name = copy(roster, from->name),
      .path = copy(roster, from->path),
      .version = from->version,
      .previous = from->previous,
      .last_error = "",
  };
  if (item.kind == NULL || item.name == NULL || item.path == NULL ||
      (roster->count == roster->capacity && grow(roster) < 0)) {
    return PERI_ENOMEM;
  }
  memmove(&roster->items[at + 1], &roster->items[at],
          (roster->count - at) * sizeof(struct peri_roster_entry));
  roster->items[at] = item;
  roster->count++;
  return 0;
}

static int merge(struct peri_roster *roster,
                 const struct peri_roster_entry *from) {
  size_t at = place_of(roster, from->kind, from->name);
  if (at == roster->count ||
      compare(&roster->items[at], from->kind, from->name) != 0) {
    int rc = insert(roster, at, from);
    if (rc < 0) {
      return rc;
    }
  }
  struct peri_roster_entry *item = &roster->items[at];
  item->calls += from->calls;
  item->errors += from->errors;
  item->bytes += from->bytes;
  item->seats += from->seats;
  item->workers += from->workers;
  item->off += from->off;
  item->off_ms = from->off_ms > item->off_ms ? from->off_ms : item->off_ms;
  if (item->last_error[0] == '\0' && from->last_error != NULL &&
      from->last_error[0] != '\0') {
    const char *words = copy(roster, from->last_error);
    item->last_error = words != NULL ? words : "";
  }
  return 0;
}

int peri_roster_put(struct peri_roster *roster,
                    const struct peri_script_policy *policy) {
  struct peri_roster_entry item = {
      .kind = policy->kind,
      .name = policy->name,
      .path = policy->path,
      .version = policy->version,
      .previous = policy->previous,
      .calls = policy->calls,
      .errors = policy->errors,
      .bytes = policy->bytes,
      .seats = policy->seats,
      .workers = 1,
      .off = policy->off ? 1 : 0,
      .off_ms = policy->off ? policy->off_ms : 0,
      .last_error = policy->last_error,
  };
  return merge(roster, &item);
}

/// One visit of a worker's policies.
struct visit {
  struct peri_roster *roster;
  int rc;
};

static void on_policy(void *ctx, const struct peri_script_policy *policy) {
  struct visit *visit = ctx;
  if (visit->rc == 0) {
    visit->rc = peri_roster_put(visit->roster, policy);
  }
}

int peri_roster_take(struct peri_roster *roster, struct peri_script *script) {
  struct visit visit = {roster, 0};
  peri_script_each(script, on_policy, &visit);
  return visit.rc;
}

int peri_roster_add(struct peri_roster *roster,
                    const struct peri_roster *other) {
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < other->count; i++) {
    rc = merge(roster, &other->items[i]);
  }
  return rc;
}

size_t peri_roster_count(const struct peri_roster *roster) {
  return roster->count;
}

const struct peri_roster_entry *peri_roster_at(const struct peri_roster *roster,
                                               size_t index) {
  return &roster->items[index];
}

const struct peri_roster_entry *peri_roster_of(const struct peri_roster *roster,
                                               const char *kind,
                                               const char *name) {
  size_t at = place_of(roster, kind, name);
  return at < roster->count && compare(&roster->items[at], kind, name) == 0
             ? &roster->items[at]
             : NULL;
}

uint32_t peri_roster_version(const struct peri_roster *roster, const char *kind,
                             const char *name) {
  const struct peri_roster_entry *item =
      roster != NULL ? peri_roster_of(roster, kind, name) : NULL;
  return item != NULL ? item->version : 0;
}

/// Whether `name` is "NAME" or "KIND/NAME" of the policy.
static bool means(struct peri_slice name,
                  const struct peri_roster_entry *item) {
  size_t kind = strlen(item->kind);
  if (name.len > kind + 1 && name.ptr[kind] == '/' &&
      memcmp(name.ptr, item->kind, kind) == 0) {
    struct peri_slice rest = {name.ptr + kind + 1, name.len - kind - 1};
    return peri_slice_is(rest, item->name);
  }
  return peri_slice_is(name, item->name);
}

int peri_roster_find(const struct peri_roster *roster, struct peri_slice name,
                     const struct peri_roster_entry **ret_policy,
                     struct peri_problem *ret_problem) {
  const struct peri_roster_entry *found = NULL;
  int shown = name.len > 100 ? 100 : (int)name.len;
  for (size_t i = 0; i < roster->count; i++) {
    const struct peri_roster_entry *item = &roster->items[i];
    if (!means(name, item)) {
      continue;
    }
    if (found != NULL) {
      return peri_problem_set(ret_problem, PERI_EINVAL,
                              "there are %s/%s and %s/%s: name the kind, too",
                              found->kind, found->name, item->kind, item->name);
    }
    found = item;
  }
  if (found == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOTFOUND,
                            "no policy %.*s is in use", shown,
                            name.len > 0 ? name.ptr : "");
  }
  *ret_policy = found;
  return 0;
}
