#include "base/json.h"

#include <jansson.h>

#include "base/slice.h"

enum { DEEPEST = 64 };

static json_t *inner(const struct peri_json *json) {
  return (json_t *)(void *)json;
}

static struct peri_json *outer(json_t *json) {
  return (struct peri_json *)(void *)json;
}

// Jansson recurses down to 2,048 levels; texts come from strangers, so depth is
// checked before it sees them. Brackets inside strings do not count.
static bool too_deep(struct peri_slice text, int *ret_line) {
  size_t depth = 0;
  int line = 1;
  bool quoted = false;
  for (size_t i = 0; i < text.len; i++) {
    char c = text.ptr[i];
    if (c == '\n') {
      line++;
    } else if (quoted && c == '\\') {
      i++;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == '[' || c == '{')) {
      depth++;
      if (depth > DEEPEST) {
        *ret_line = line;
        return true;
      }
    } else if (!quoted && (c == ']' || c == '}') && depth > 0) {
      depth--;
    }
  }
  return false;
}

int peri_json_parse(struct peri_slice text, struct peri_json **ret_json,
                    struct peri_problem *ret_problem) {
  int line = 0;
  if (too_deep(text, &line)) {
    return peri_problem_set(ret_problem, PERI_EINVAL,
                            "line %d: nested deeper than %d levels", line,
                            DEEPEST);
  }
  json_error_t error;
  json_t *json = json_loadb(text.len > 0 ? text.ptr : "", text.len,
                            JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (json != NULL) {
    *ret_json = outer(json);
    return 0;
  }
  if (json_error_code(&error) == json_error_out_of_memory) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  return peri_problem_set(ret_problem, PERI_EINVAL, "line %d: %s", error.line,
                          error.text);
}

static int add_dumped(const char *bytes, size_t len, void *ctx) {
  return peri_buffer_add(ctx, bytes, len) < 0 ? -1 : 0;
}

int peri_json_dump(const struct peri_json *json, bool pretty,
                   struct peri_buffer *buffer) {
  if (json == NULL) {
    return peri_buffer_add(buffer, "null", 4);
  }
  size_t before = buffer->len;
  size_t flags = JSON_ENCODE_ANY | (pretty ? JSON_INDENT(2) : JSON_COMPACT);
  if (json_dump_callback(inner(json), add_dumped, buffer, flags) < 0) {
    buffer->len = before;
    return PERI_ENOMEM;
  }
  return 0;
}

// Jansson's own json_incref() and json_decref() count atomically but look for
// its constants (null, true, false), whose count never changes, with a plain
// read. That is a data race once threads share a value, so both are done here.
static bool is_constant(json_t *json) {
  return __atomic_load_n(&json->refcount, __ATOMIC_RELAXED) == (size_t)-1;
}

struct peri_json *peri_json_ref(struct peri_json *json) {
  if (json != NULL && !is_constant(inner(json))) {
    __atomic_add_fetch(&inner(json)->refcount, 1, __ATOMIC_RELAXED);
  }
  return json;
}

void peri_json_unref(struct peri_json *json) {
  if (json != NULL && !is_constant(inner(json)) &&
      __atomic_sub_fetch(&inner(json)->refcount, 1, __ATOMIC_ACQ_REL) == 0) {
    json_delete(inner(json));
  }
}

struct peri_json *peri_json_null(void) {
  return outer(json_null());
}

struct peri_json *peri_json_bool(bool value) {
  return outer(json_boolean(value));
}

struct peri_json *peri_json_integer(int64_t value) {
  return outer(json_integer(value));
}

struct peri_json *peri_json_real(double value) {
  return outer(json_real(value));
}

struct peri_json *peri_json_string(struct peri_slice value) {
  return outer(json_stringn(value.len > 0 ? value.ptr : "", value.len));
}

struct peri_json *peri_json_array(void) {
  return outer(json_array());
}

struct peri_json *peri_json_object(void) {
  return outer(json_object());
}

int peri_json_append(struct peri_json *array, struct peri_json *value) {
  if (value == NULL) {
    return PERI_ENOMEM;
  }
  if (!json_is_array(inner(array)) || array == value) {
    peri_json_unref(value);
    return PERI_EINVAL;
  }
  return json_array_append_new(inner(array), inner(value)) < 0 ? PERI_ENOMEM
                                                               : 0;
}

int peri_json_set(struct peri_json *object, const char *key,
                  struct peri_json *value) {
  if (value == NULL) {
    return PERI_ENOMEM;
  }
  if (!json_is_object(inner(object)) || object == value ||
      !peri_slice_is_utf8(peri_slice_of(key))) {
    peri_json_unref(value);
    return PERI_EINVAL;
  }
  return json_object_set_new(inner(object), key, inner(value)) < 0 ? PERI_ENOMEM
                                                                   : 0;
}

bool peri_json_equal(const struct peri_json *a, const struct peri_json *b) {
  return a == b || json_equal(inner(a), inner(b)) != 0;
}

int peri_json_type(const struct peri_json *json) {
  if (json == NULL) {
    return PERI_JSON_NULL;
  }
  switch (json_typeof(inner(json))) {
    case JSON_TRUE:
    case JSON_FALSE:
      return PERI_JSON_BOOL;
    case JSON_INTEGER:
      return PERI_JSON_INTEGER;
    case JSON_REAL:
      return PERI_JSON_REAL;
    case JSON_STRING:
      return PERI_JSON_STRING;
    case JSON_ARRAY:
      return PERI_JSON_ARRAY;
    case JSON_OBJECT:
      return PERI_JSON_OBJECT;
    default:
      return PERI_JSON_NULL;
  }
}

bool peri_json_to_bool(const struct peri_json *json) {
  return json_is_true(inner(json));
}

int64_t peri_json_to_integer(const struct peri_json *json) {
  return json_integer_value(inner(json));
}

double peri_json_to_real(const struct peri_json *json) {
  return json_number_value(inner(json));
}

struct peri_slice peri_json_to_string(const struct peri_json *json) {
  struct peri_slice slice = {json_string_value(inner(json)),
                             json_string_length(inner(json))};
  return slice;
}

size_t peri_json_size(const struct peri_json *json) {
  return json_is_object(inner(json)) ? json_object_size(inner(json))
                                     : json_array_size(inner(json));
}

const struct peri_json *peri_json_at(const struct peri_json *array,
                                     size_t index) {
  return outer(json_array_get(inner(array), index));
}

const struct peri_json *peri_json_get(const struct peri_json *object,
                                      const char *key) {
  return outer(json_object_get(inner(object), key));
}

int peri_json_each(const struct peri_json *object,
                   int (*visit)(void *ctx, const char *key,
                                const struct peri_json *value),
                   void *ctx) {
  const char *key = NULL;
  json_t *value = NULL;
  json_object_foreach(inner(object), key, value) {
    int rc = visit(ctx, key, outer(value));
    if (rc != 0) {
      return rc;
    }
  }
  return 0;
}
