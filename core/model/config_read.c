#include "model/config_read.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "base/slice.h"
#include "base/text.h"
#include "model/config_line.h"

enum { MAX_DEPTH = 64, MAX_PATH_TEXT = 256 };

// Writes "groups.scores.ttl" or "files[2]"; what does not fit is cut.
static void path_text(const struct peri_config_node *node, char *ret_text,
                      size_t capacity) {
  if (node->parent == NULL) {
    ret_text[0] = '\0';
    return;
  }
  path_text(node->parent, ret_text, capacity);
  size_t len = strlen(ret_text);
  if (node->key == NULL) {
    (void)snprintf(ret_text + len, capacity - len, "[%zu]", node->index);
  } else {
    (void)snprintf(ret_text + len, capacity - len, "%s%s", len > 0 ? "." : "",
                   node->key);
  }
}

const char *peri_config_place(const struct peri_config_node *node) {
  char path[MAX_PATH_TEXT];
  path_text(node, path, sizeof path);
  return peri_arena_copy(node->reader->arena, peri_slice_of(path));
}

static size_t line_of(const struct peri_config_node *node) {
  struct peri_config_step steps[MAX_DEPTH];
  size_t depth = 0;
  for (const struct peri_config_node *at = node; at->parent != NULL;
       at = at->parent) {
    depth++;
  }
  if (depth > MAX_DEPTH) {
    return 0;
  }
  size_t left = depth;
  for (const struct peri_config_node *at = node; at->parent != NULL;
       at = at->parent) {
    left--;
    steps[left].key = at->key;
    steps[left].index = at->index;
  }
  return peri_config_line(node->reader->source, steps, depth);
}

int peri_config_fail(const struct peri_config_node *node, const char *format,
                     ...) {
  const char *file = node->reader->file;
  char words[384];
  char path[MAX_PATH_TEXT];
  char line[24] = "";
  va_list args;
  va_start(args, format);
  (void)vsnprintf(words, sizeof words, format, args);
  va_end(args);
  path_text(node, path, sizeof path);
  size_t number = line_of(node);
  if (number > 0) {
    (void)snprintf(line, sizeof line, ":%zu", number);
  }
  return peri_problem_set(node->reader->problem, PERI_ECONFIG, "%s%s: %s%s%s",
                          *file != '\0' ? file : "configuration", line, path,
                          *path != '\0' ? ": " : "", words);
}

static struct peri_config_node child_of(const struct peri_config_node *node,
                                        const char *key,
                                        const struct peri_json *json) {
  return (struct peri_config_node){
      .reader = node->reader, .parent = node, .key = key, .json = json};
}

struct expectation {
  const struct peri_config_node *node;
  const char *const *keys;
  size_t key_count;
  const struct peri_config_unsupported *unsupported;
  size_t unsupported_count;
};

static int check_key(void *ctx, const char *key,
                     const struct peri_json *value) {
  const struct expectation *expected = ctx;
  for (size_t i = 0; i < expected->key_count; i++) {
    if (strcmp(expected->keys[i], key) == 0) {
      return 0;
    }
  }
  struct peri_config_node child = child_of(expected->node, key, value);
  for (size_t i = 0; i < expected->unsupported_count; i++) {
    if (strcmp(expected->unsupported[i].key, key) == 0) {
      return peri_config_fail(&child, "%s", expected->unsupported[i].words);
    }
  }
  const char *nearest =
      peri_text_nearest(key, expected->keys, expected->key_count);
  if (nearest == NULL) {
    return peri_config_fail(&child, "unknown key");
  }
  return peri_config_fail(&child, "unknown key; did you mean \"%s\"?", nearest);
}

int peri_config_expect(const struct peri_config_node *node,
                       const char *const *keys, size_t key_count,
                       const struct peri_config_unsupported *unsupported,
                       size_t unsupported_count) {
  struct expectation expected = {node, keys, key_count, unsupported,
                                 unsupported_count};
  int type = peri_json_type(node->json);
  if (type == PERI_JSON_ARRAY && peri_json_size(node->json) == 0) {
    return 0;
  }
  if (type == PERI_JSON_ARRAY) {
    return peri_config_fail(node, "a table with named keys, not a list");
  }
  if (type != PERI_JSON_OBJECT) {
    return peri_config_fail(node, "must be a table");
  }
  return peri_json_each(node->json, check_key, &expected);
}

bool peri_config_member(const struct peri_config_node *node, const char *key,
                        struct peri_config_node *ret_child) {
  const struct peri_json *json = peri_json_type(node->json) == PERI_JSON_OBJECT
                                     ? peri_json_get(node->json, key)
                                     : NULL;
  if (peri_json_type(json) == PERI_JSON_NULL) {
    return false;
  }
  *ret_child = child_of(node, key, json);
  return true;
}

struct peri_config_node peri_config_element(const struct peri_config_node *node,
                                            size_t index) {
  return (struct peri_config_node){.reader = node->reader,
                                   .parent = node,
                                   .index = index + 1,
                                   .json = peri_json_at(node->json, index)};
}

int peri_config_list(const struct peri_config_node *node, size_t *ret_count) {
  int type = peri_json_type(node->json);
  if (type == PERI_JSON_OBJECT && peri_json_size(node->json) == 0) {
    *ret_count = 0;
    return 0;
  }
  if (type != PERI_JSON_ARRAY) {
    return peri_config_fail(node, "must be a list");
  }
  *ret_count = peri_json_size(node->json);
  return 0;
}

int peri_config_named(const struct peri_config_node *node, const char *words,
                      size_t *ret_count) {
  int type = peri_json_type(node->json);
  size_t count = peri_json_size(node->json);
  if (type != PERI_JSON_OBJECT && (type != PERI_JSON_ARRAY || count > 0)) {
    return peri_config_fail(node, "%s", words);
  }
  *ret_count = count;
  return 0;
}

int peri_config_text(const struct peri_config_node *node,
                     const char **ret_text) {
  struct peri_slice text = peri_json_to_string(node->json);
  if (peri_json_type(node->json) != PERI_JSON_STRING) {
    return peri_config_fail(node, "must be a string");
  }
  if (text.len == 0) {
    return peri_config_fail(node, "must not be empty");
  }
  if (memchr(text.ptr, '\0', text.len) != NULL) {
    return peri_config_fail(node, "must not hold a NUL byte");
  }
  const char *copy = peri_arena_copy(node->reader->arena, text);
  if (copy == NULL) {
    return PERI_ENOMEM;
  }
  *ret_text = copy;
  return 0;
}

int peri_config_string(const struct peri_config_node *node, const char *key,
                       const char **ret_value) {
  struct peri_config_node child;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  return peri_config_text(&child, ret_value);
}

// A Lua number that is a whole one, whichever JSON type it became.
static bool whole(const struct peri_json *json, int64_t *ret_value) {
  int type = peri_json_type(json);
  if (type == PERI_JSON_INTEGER) {
    *ret_value = peri_json_to_integer(json);
    return true;
  }
  double real = peri_json_to_real(json);
  if (type != PERI_JSON_REAL || !(real >= -9007199254740992.0) ||
      !(real <= 9007199254740992.0) || (double)(int64_t)real != real) {
    return false;
  }
  *ret_value = (int64_t)real;
  return true;
}

int peri_config_integer(const struct peri_config_node *node, const char *key,
                        int64_t min, int64_t max, int64_t *ret_value) {
  struct peri_config_node child;
  int64_t value = 0;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  if (!whole(child.json, &value)) {
    return peri_config_fail(&child, "must be a whole number");
  }
  if (value < min || value > max) {
    return peri_config_fail(&child, "must be %lld to %lld, not %lld",
                            (long long)min, (long long)max, (long long)value);
  }
  *ret_value = value;
  return 0;
}

int peri_config_duration(const struct peri_config_node *node, const char *key,
                         bool zero, int64_t *ret_ns) {
  struct peri_config_node child;
  int64_t ns = 0;
  int64_t number = 0;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  struct peri_slice text = peri_json_to_string(child.json);
  if (peri_json_type(child.json) == PERI_JSON_STRING) {
    if (peri_text_duration(text, &ns) < 0) {
      return peri_config_fail(
          &child,
          "\"%.*s\" is not a duration such as \"250ms\", \"2s\", \"1h\"",
          text.len > 64 ? 64 : (int)text.len, text.ptr);
    }
  } else if (!whole(child.json, &number) || number != 0) {
    return peri_config_fail(
        &child, "must be a duration such as \"250ms\", \"2s\", \"1h\"");
  }
  if (ns == 0 && !zero) {
    return peri_config_fail(&child, "must be more than 0");
  }
  *ret_ns = ns;
  return 0;
}

int peri_config_duration_ms(const struct peri_config_node *node,
                            const char *key, bool zero, uint64_t *ret_ms) {
  int64_t ns = -1;
  int rc = peri_config_duration(node, key, zero, &ns);
  if (rc == 0 && ns >= 0) {
    *ret_ms = (uint64_t)(ns / 1000000) + (ns % 1000000 > 0 ? 1 : 0);
  }
  return rc;
}

int peri_config_size(const struct peri_config_node *node, const char *key,
                     uint64_t min, uint64_t max, uint64_t *ret_bytes) {
  struct peri_config_node child;
  uint64_t bytes = 0;
  int64_t number = 0;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  struct peri_slice text = peri_json_to_string(child.json);
  if (peri_json_type(child.json) == PERI_JSON_STRING) {
    if (peri_text_size(text, &bytes) < 0) {
      return peri_config_fail(
          &child, "\"%.*s\" is not a size such as \"512B\", \"64MiB\"",
          text.len > 64 ? 64 : (int)text.len, text.ptr);
    }
  } else if (whole(child.json, &number) && number >= 0) {
    bytes = (uint64_t)number;
  } else {
    return peri_config_fail(&child,
                            "must be a size such as \"512B\", \"64MiB\"");
  }
  if (bytes < min || bytes > max) {
    return peri_config_fail(&child, "must be %llu to %llu bytes, not %llu",
                            (unsigned long long)min, (unsigned long long)max,
                            (unsigned long long)bytes);
  }
  *ret_bytes = bytes;
  return 0;
}

bool peri_config_is_wildcard(const char *address) {
  struct peri_address parsed;
  if (peri_address_parse(peri_slice_of(address), &parsed) < 0) {
    return false;
  }
  return (parsed.kind == PERI_ADDRESS_IPV4 &&
          strcmp(parsed.host, "0.0.0.0") == 0) ||
         (parsed.kind == PERI_ADDRESS_IPV6 && strcmp(parsed.host, "::") == 0);
}

int peri_config_address(const struct peri_config_node *node, const char *key,
                        bool dialable, const char **ret_address) {
  struct peri_config_node child;
  struct peri_address parsed;
  const char *text = NULL;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  int rc = peri_config_text(&child, &text);
  if (rc < 0) {
    return rc;
  }
  if (peri_address_parse(peri_slice_of(text), &parsed) < 0) {
    return peri_config_fail(
        &child, "\"%.64s\" is not an address such as \"127.0.0.1:7400\"", text);
  }
  if (dialable && parsed.kind != PERI_ADDRESS_UNIX && parsed.port == 0) {
    return peri_config_fail(&child, "\"%.64s\" has no port to dial", text);
  }
  if (dialable && peri_config_is_wildcard(text)) {
    return peri_config_fail(&child, "\"%.64s\" is no address to dial", text);
  }
  *ret_address = text;
  return 0;
}

// A path from the configuration's folder; "./" in front says nothing.
int peri_config_path(const struct peri_config_node *node,
                     const char **ret_path) {
  const char *text = "";
  int rc = peri_config_text(node, &text);
  if (rc < 0) {
    return rc;
  }
  while (text[0] == '.' && text[1] == '/') {
    text += 2;
  }
  const char *path = text;
  if (text[0] != '/') {
    path = peri_arena_printf(node->reader->arena, "%s/%s", node->reader->folder,
                             text);
  }
  if (path == NULL) {
    return PERI_ENOMEM;
  }
  *ret_path = path;
  return 0;
}

int peri_config_paths(const struct peri_config_node *node, const char *key,
                      const char *const **ret_paths, size_t *ret_count) {
  struct peri_config_node child;
  size_t count = 0;
  if (!peri_config_member(node, key, &child)) {
    return 0;
  }
  bool alone = peri_json_type(child.json) == PERI_JSON_STRING;
  int rc = alone ? 0 : peri_config_list(&child, &count);
  if (rc < 0) {
    return rc;
  }
  count = alone ? 1 : count;
  const char **paths =
      peri_arena_alloc(node->reader->arena, (count + 1) * sizeof *paths);
  if (paths == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < count; i++) {
    struct peri_config_node element = peri_config_element(&child, i);
    rc = peri_config_path(alone ? &child : &element, &paths[i]);
    if (rc < 0) {
      return rc;
    }
  }
  *ret_paths = paths;
  *ret_count = count;
  return 0;
}
