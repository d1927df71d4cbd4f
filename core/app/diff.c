#include "app/diff.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/restart.h"
#include "base/error.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/text.h"

enum { PATH_BYTES = 512, SHOWN_BYTES = 80 };

/// One walk through both trees, which are as deep as what script reads may be.
struct walk {
  const struct peri_setup *before;
  const struct peri_setup *after;
  struct peri_diff *diff;
  size_t count;
  size_t lines;
  int rc;
  char path[PATH_BYTES];
};

static void compare(struct walk *walk, const struct peri_json *a,
                    const struct peri_json *b);

static bool is_container(const struct peri_json *json) {
  int type = peri_json_type(json);
  return type == PERI_JSON_ARRAY || type == PERI_JSON_OBJECT;
}

/// Whether a key sounds as if its value were a secret.
static bool is_secret(const char *path) {
  return peri_text_is_secret(path) || strstr(path, "registry.key") != NULL;
}

/// Whether a text stands between quotes in the file, for everybody to read who
/// may read that.
static bool stands_in(const struct peri_setup *setup, struct peri_slice text) {
  const char *at = setup->source;
  size_t left = setup->source_len;
  while (at != NULL && left > text.len + 1) {
    const char *found = memmem(at + 1, left - 1, text.ptr, text.len);
    if (found == NULL) {
      return false;
    }
    left -= (size_t)(found - at);
    at = found;
    char before = found[-1];
    bool open = before == '"' || before == '\'' || before == '[';
    if (open && left > text.len &&
        found[text.len] == (before == '[' ? ']' : before)) {
      return true;
    }
  }
  return false;
}

static int write_value(const struct walk *walk, const struct peri_setup *setup,
                       const struct peri_json *json, struct peri_buffer *line) {
  if (is_container(json)) {
    return peri_buffer_printf(line, "{…}");
  }
  struct peri_slice text = peri_json_to_string(json);
  bool is_text = peri_json_type(json) == PERI_JSON_STRING;
  if (is_secret(walk->path) || (is_text && !stands_in(setup, text))) {
    return peri_buffer_printf(line, "(not shown)");
  }
  if (is_text && text.len > SHOWN_BYTES) {
    return peri_buffer_printf(line, "\"%.*s…\"", (int)SHOWN_BYTES, text.ptr);
  }
  return peri_json_dump(json, false, line);
}

static void add_line(struct walk *walk, const struct peri_json *a,
                     const struct peri_json *b) {
  struct peri_buffer *lines = &walk->diff->lines;
  int rc = peri_buffer_printf(lines, "%s: ", walk->path);
  if (rc == 0 && (a == NULL || b == NULL)) {
    rc = peri_buffer_printf(lines, a == NULL ? "added" : "removed");
    if (rc == 0 && !is_container(a == NULL ? b : a)) {
      rc = peri_buffer_printf(lines, a == NULL ? ", " : ", was ");
      rc = rc == 0 ? write_value(walk, a == NULL ? walk->after : walk->before,
                                 a == NULL ? b : a, lines)
                   : rc;
    }
  } else if (rc == 0) {
    rc = write_value(walk, walk->before, a, lines);
    rc = rc == 0 ? peri_buffer_printf(lines, " -> ") : rc;
    rc = rc == 0 ? write_value(walk, walk->after, b, lines) : rc;
  }
  walk->rc = rc == 0 ? peri_buffer_add(lines, "\n", 1) : rc;
}

static void differ(struct walk *walk, const struct peri_json *a,
                   const struct peri_json *b) {
  walk->count++;
  if (walk->rc == 0 && walk->lines < PERI_DIFF_LINES) {
    walk->lines++;
    add_line(walk, a, b);
  }
}

/// Goes down to a key, `routes` or `[2]` or `["a b"]`, and back up.
static void descend(struct walk *walk, const char *key,
                    const struct peri_json *a, const struct peri_json *b) {
  size_t len = strlen(walk->path);
  size_t left = sizeof(walk->path) - len;
  bool number = key[0] != '\0' && key[strspn(key, "0123456789")] == '\0';
  bool name = !number && key[0] != '\0';
  for (const char *at = key; *at != '\0'; at++) {
    name = name && (isalnum((unsigned char)*at) || *at == '_');
  }
  snprintf(walk->path + len, left,
           number ? "[%s]"
           : name ? (len > 0 ? ".%s" : "%s")
                  : "[\"%s\"]",
           key);
  compare(walk, a, b);
  walk->path[len] = '\0';
}

static void descend_at(struct walk *walk, size_t index,
                       const struct peri_json *a, const struct peri_json *b) {
  char key[24];
  snprintf(key, sizeof(key), "%zu", index + 1);
  descend(walk, key, a, b);
}

/// What is the same at both ends of two lists is not told of, so that one
/// element more is one line.
static void compare_arrays(struct walk *walk, const struct peri_json *a,
                           const struct peri_json *b) {
  size_t na = peri_json_size(a), nb = peri_json_size(b);
  size_t least = na < nb ? na : nb;
  size_t head = 0, tail = 0;
  if (na != nb) {
    while (head < least &&
           peri_json_equal(peri_json_at(a, head), peri_json_at(b, head))) {
      head++;
    }
    while (tail < least - head &&
           peri_json_equal(peri_json_at(a, na - 1 - tail),
                           peri_json_at(b, nb - 1 - tail))) {
      tail++;
    }
  }
  for (size_t i = head; i < na - tail || i < nb - tail; i++) {
    descend_at(walk, i, i < na - tail ? peri_json_at(a, i) : NULL,
               i < nb - tail ? peri_json_at(b, i) : NULL);
  }
}

/// The keys of an object, in order: those of a Lua table have none.
struct keys {
  const char **names;
  size_t count;
};

static int collect(void *ctx, const char *key, const struct peri_json *value) {
  struct keys *keys = ctx;
  (void)value;
  keys->names[keys->count++] = key;
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/// The keys of one or two objects; `names` is to be freed. None when out of
/// memory, which the walk then knows.
static struct keys collect_all(struct walk *walk, const struct peri_json *a,
                               const struct peri_json *b) {
  struct keys keys = {.count = 0};
  size_t most = peri_json_size(a) + (b != NULL ? peri_json_size(b) : 0);
  keys.names = calloc(most + 1, sizeof(*keys.names));
  if (keys.names == NULL) {
    walk->rc = PERI_ENOMEM;
    walk->count++;
    return keys;
  }
  peri_json_each(a, collect, &keys);
  if (b != NULL) {
    peri_json_each(b, collect, &keys);
  }
  qsort(keys.names, keys.count, sizeof(*keys.names), by_name);
  return keys;
}

static void compare_objects(struct walk *walk, const struct peri_json *a,
                            const struct peri_json *b) {
  struct keys keys = collect_all(walk, a, b);
  for (size_t i = 0; i < keys.count; i++) {
    if (i == 0 || strcmp(keys.names[i], keys.names[i - 1]) != 0) {
      descend(walk, keys.names[i], peri_json_get(a, keys.names[i]),
              peri_json_get(b, keys.names[i]));
    }
  }
  free(keys.names);
}

static const struct peri_json *named_at(const struct peri_json *object,
                                        size_t index) {
  char key[24];
  snprintf(key, sizeof(key), "%zu", index + 1);
  return peri_json_get(object, key);
}

/// `{ "pin" }` is a list, `{ "pin", by = "x" }` is not: its elements are those
/// of the list nevertheless. `list_first`: the list is the one before.
static void compare_mixed(struct walk *walk, const struct peri_json *list,
                          const struct peri_json *object, bool list_first) {
  size_t count = peri_json_size(list);
  struct keys keys = collect_all(walk, object, NULL);
  for (size_t i = 0; i < count; i++) {
    const struct peri_json *a = peri_json_at(list, i);
    const struct peri_json *b = named_at(object, i);
    descend_at(walk, i, list_first ? a : b, list_first ? b : a);
  }
  for (size_t i = 0; i < keys.count; i++) {
    const char *key = keys.names[i];
    size_t number =
        key[strspn(key, "0123456789")] == '\0' ? strtoul(key, NULL, 10) : 0;
    if (number == 0 || number > count) {
      const struct peri_json *value = peri_json_get(object, key);
      descend(walk, key, list_first ? NULL : value, list_first ? value : NULL);
    }
  }
  free(keys.names);
}

static bool same_scalar(const struct peri_json *a, const struct peri_json *b) {
  if (peri_json_type(a) != peri_json_type(b)) {
    return false;
  }
  switch (peri_json_type(a)) {
    case PERI_JSON_BOOL:
      return peri_json_to_bool(a) == peri_json_to_bool(b);
    case PERI_JSON_INTEGER:
      return peri_json_to_integer(a) == peri_json_to_integer(b);
    case PERI_JSON_REAL:
      return peri_json_to_real(a) == peri_json_to_real(b);
    case PERI_JSON_STRING:
      return peri_slice_equal(peri_json_to_string(a), peri_json_to_string(b));
    default:
      return true;
  }
}

static void compare(struct walk *walk, const struct peri_json *a,
                    const struct peri_json *b) {
  bool both = a != NULL && b != NULL;
  bool same_type = both && peri_json_type(a) == peri_json_type(b);
  // An empty Lua table is neither a list nor not one.
  bool empty = both && is_container(a) && is_container(b) &&
               peri_json_size(a) == 0 && peri_json_size(b) == 0;
  if (empty || (a == NULL && b == NULL)) {
    return;
  }
  if (same_type && peri_json_type(a) == PERI_JSON_ARRAY) {
    compare_arrays(walk, a, b);
  } else if (same_type && peri_json_type(a) == PERI_JSON_OBJECT) {
    compare_objects(walk, a, b);
  } else if (both && is_container(a) && is_container(b)) {
    bool list_first = peri_json_type(a) == PERI_JSON_ARRAY;
    compare_mixed(walk, list_first ? a : b, list_first ? b : a, list_first);
  } else if (!same_type || !same_scalar(a, b)) {
    differ(walk, a, b);
  }
}

static bool section_differs(const struct walk *walk, const char *key) {
  return !peri_json_equal(peri_json_get(walk->before->tree, key),
                          peri_json_get(walk->after->tree, key));
}

int peri_diff_make(const struct peri_setup *before,
                   const struct peri_setup *after, struct peri_diff *ret_diff) {
  struct peri_diff diff = {.count = 0};
  struct walk walk = {.before = before, .after = after, .diff = &diff};
  compare(&walk, before->tree, after->tree);
  diff.count = walk.count;
  if (walk.rc == 0 && walk.count > walk.lines) {
    walk.rc = peri_buffer_printf(&diff.lines, "and %zu more\n",
                                 walk.count - walk.lines);
  }
  if (walk.rc < 0) {
    peri_diff_done(&diff);
    return walk.rc;
  }
  if (walk.count > 0) {
    peri_restart_names(before, after, diff.restart, sizeof(diff.restart));
    diff.policies =
        section_differs(&walk, "policies") || section_differs(&walk, "files");
  }
  *ret_diff = diff;
  return 0;
}

void peri_diff_done(struct peri_diff *diff) {
  peri_buffer_done(&diff->lines);
  *diff = (struct peri_diff){.count = 0};
}
