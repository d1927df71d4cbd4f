#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "base/types.h"

/// What reading one configuration needs throughout.
struct peri_config_reader {
  const char *file;    // as given, "" when there is none
  const char *folder;  // absolute, where relative paths begin
  struct peri_slice source;
  struct peri_arena *arena;      // what is read lives here
  struct peri_json *kept;        // a list: JSON made while reading, to be kept
  struct peri_problem *problem;  // may be NULL
};

/// A value of the configuration and how to get to it. Lives on the stack of
/// whoever reads that section.
struct peri_config_node {
  const struct peri_config_reader *reader;
  const struct peri_config_node *parent;  // NULL for the whole table
  const char *key;                        // NULL for a list element
  size_t index;                           // 1-based, when `key` is NULL
  const struct peri_json *json;
};

/// A key that is known but not answered by this version, and words that say so.
struct peri_config_unsupported {
  const char *key;
  const char *words;
};

/// Fills the problem with `file:line: path: words`. Returns PERI_ECONFIG, or
/// PERI_ENOMEM when the words cannot be put together.
int peri_config_fail(const struct peri_config_node *node, const char *format,
                     ...) __attribute__((format(printf, 2, 3)));

/// Checks that a node is a table (an empty list counts as one) with no keys but
/// `keys`; names the nearest one otherwise. `unsupported` may be NULL.
int peri_config_expect(const struct peri_config_node *node,
                       const char *const *keys, size_t key_count,
                       const struct peri_config_unsupported *unsupported,
                       size_t unsupported_count);

/// The node of a member; false when it is absent.
bool peri_config_member(const struct peri_config_node *node, const char *key,
                        struct peri_config_node *ret_child);
/// The node of a list's element; `index` is 0-based and in range.
struct peri_config_node peri_config_element(const struct peri_config_node *node,
                                            size_t index);
/// Checks that a node is a list (an empty table counts as one) and gives its
/// length.
int peri_config_list(const struct peri_config_node *node, size_t *ret_count);

/// Checks that a node is a table with named keys and gives how many: 0 for an
/// empty one, else PERI_ECONFIG with `words`, as "must be a table of groups".
int peri_config_named(const struct peri_config_node *node, const char *words,
                      size_t *ret_count);

/// Readers of a member: 0 and *ret_value untouched when it is absent, else the
/// value or PERI_ECONFIG. Strings are copied to the arena, hold no NUL and are
/// not empty.
int peri_config_string(const struct peri_config_node *node, const char *key,
                       const char **ret_value);
int peri_config_integer(const struct peri_config_node *node, const char *key,
                        int64_t min, int64_t max, int64_t *ret_value);
/// `"250ms"`, `"2s"`, and 0 only where `zero` allows it.
int peri_config_duration(const struct peri_config_node *node, const char *key,
                         bool zero, int64_t *ret_ns);
/// The same, rounded up to whole milliseconds.
int peri_config_duration_ms(const struct peri_config_node *node,
                            const char *key, bool zero, uint64_t *ret_ms);
/// `"64MiB"` or a number of bytes, `min` … `max`.
int peri_config_size(const struct peri_config_node *node, const char *key,
                     uint64_t min, uint64_t max, uint64_t *ret_bytes);
/// An address that parses; `dialable`: with a port that is not 0 and a host
/// that is not a wildcard.
int peri_config_address(const struct peri_config_node *node, const char *key,
                        bool dialable, const char **ret_address);
/// How to get to a node, "groups.scores.ttl", in the arena; NULL when out of
/// memory.
const char *peri_config_place(const struct peri_config_node *node);
/// The path that a node holds, made absolute.
int peri_config_path(const struct peri_config_node *node,
                     const char **ret_path);
/// A list of paths, or one path alone, made absolute.
int peri_config_paths(const struct peri_config_node *node, const char *key,
                      const char *const **ret_paths, size_t *ret_count);

/// The text of a node that must be a string without NUL, not empty; copied to
/// the arena.
int peri_config_text(const struct peri_config_node *node,
                     const char **ret_text);
/// Whether an address listens everywhere ("0.0.0.0:…", "[::]:…").
bool peri_config_is_wildcard(const char *address);
