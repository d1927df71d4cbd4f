#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

/// A JSON value (a thin face of Jansson, which stays inside base). Values are
/// reference-counted with atomic counts; once built they are only read, and may
/// then be read from any thread.
struct peri_json;

enum peri_json_type {
  PERI_JSON_NULL = 0,
  PERI_JSON_BOOL = 1,
  PERI_JSON_INTEGER = 2,
  PERI_JSON_REAL = 3,
  PERI_JSON_STRING = 4,
  PERI_JSON_ARRAY = 5,
  PERI_JSON_OBJECT = 6
};

/// Parses a whole JSON text (at most 64 levels deep; strings may hold \u0000).
/// @return 0, PERI_EINVAL with the line in `ret_problem`, or PERI_ENOMEM.
int peri_json_parse(struct peri_slice text, struct peri_json **ret_json,
                    struct peri_problem *ret_problem);

/// Appends the value as compact JSON, keys in insertion order (`pretty`:
/// indented by two). @return 0 or PERI_ENOMEM.
int peri_json_dump(const struct peri_json *json, bool pretty,
                   struct peri_buffer *buffer);

/// One reference more, and one less: the last frees it. Any thread; NULL is
/// fine.
struct peri_json *peri_json_ref(struct peri_json *json);
void peri_json_unref(struct peri_json *json);

/// Constructors return a new reference, NULL when out of memory (or, for
/// strings, not UTF-8).
struct peri_json *peri_json_null(void);
struct peri_json *peri_json_bool(bool value);
struct peri_json *peri_json_integer(int64_t value);
struct peri_json *peri_json_real(double value);
struct peri_json *peri_json_string(struct peri_slice value);
struct peri_json *peri_json_array(void);
struct peri_json *peri_json_object(void);

/// Both take over the reference to `value`, also when they fail (a NULL `value`
/// fails with PERI_ENOMEM, so constructors can be nested).
int peri_json_append(struct peri_json *array, struct peri_json *value);
int peri_json_set(struct peri_json *object, const char *key,
                  struct peri_json *value);

/// The same value: members of objects in any order, 1 and 1.0 apart. NULL only
/// equals NULL.
bool peri_json_equal(const struct peri_json *a, const struct peri_json *b);

int peri_json_type(const struct peri_json *json);  // NULL counts as null
bool peri_json_to_bool(const struct peri_json *json);
int64_t peri_json_to_integer(const struct peri_json *json);  // 0 for others
double peri_json_to_real(const struct peri_json *json);      // integers too
/// The string's bytes (NUL-terminated as well), borrowed from the value; an
/// empty slice for other types.
struct peri_slice peri_json_to_string(const struct peri_json *json);
/// Elements of an array or members of an object; 0 for others.
size_t peri_json_size(const struct peri_json *json);
/// A borrowed element, or NULL.
const struct peri_json *peri_json_at(const struct peri_json *array,
                                     size_t index);
/// A borrowed member, or NULL when absent.
const struct peri_json *peri_json_get(const struct peri_json *object,
                                      const char *key);
/// Calls `visit` for each member in insertion order until it returns non-zero,
/// and returns that, or 0.
int peri_json_each(const struct peri_json *object,
                   int (*visit)(void *ctx, const char *key,
                                const struct peri_json *value),
                   void *ctx);
