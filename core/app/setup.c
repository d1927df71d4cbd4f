#include "app/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "base/slice.h"
#include "model/config.h"
#include "script/script.h"

static const char *words_of(int code) {
  return code == PERI_ENOTFOUND ? "there is no such file"
                                : peri_error_text(code);
}

int peri_setup_read(const char *file, struct peri_setup *ret_setup,
                    struct peri_problem *ret_problem) {
  struct peri_setup setup = {NULL, NULL};
  struct peri_problem problem = {0, ""};
  char *source = NULL;
  size_t len = 0;
  int rc = peri_script_config(file, &source, &len, &setup.tree, &problem);
  if (rc == 0) {
    struct peri_slice text = {source, len};
    rc = peri_config_build(file, text, setup.tree, &setup.config, &problem);
  }
  free(source);
  if (rc == 0) {
    *ret_setup = setup;
    return 0;
  }
  peri_setup_done(&setup);
  // Whoever wrote the words may have left out the file.
  const char *words = problem.text[0] != '\0' ? problem.text : words_of(rc);
  const char *base = strrchr(file, '/');
  base = base != NULL ? base + 1 : file;
  if (strstr(words, base) != NULL) {
    return peri_problem_set(ret_problem, rc, "%s", words);
  }
  return peri_problem_set(ret_problem, rc, "%s: %s", file, words);
}

void peri_setup_done(struct peri_setup *setup) {
  if (setup->tree != NULL) {
    peri_json_unref(setup->tree);
  }
  if (setup->config != NULL) {
    peri_config_unref(setup->config);
  }
  setup->tree = NULL;
  setup->config = NULL;
}

static void warn_missing(const char *key, const char *const *folders,
                         size_t count) {
  struct stat st;
  for (size_t i = 0; i < count; i++) {
    if (stat(folders[i], &st) < 0 || !S_ISDIR(st.st_mode)) {
      peri_log(PERI_LOG_WARN, "app", "%s: there is no folder %s", key,
               folders[i]);
    }
  }
}

void peri_setup_warn(const struct peri_config *config) {
  warn_missing("policies.path", config->policy_paths,
               config->policy_path_count);
  warn_missing("files", config->files, config->file_count);
}

static bool equal(const struct peri_json *a, const struct peri_json *b);

static int member_differs(void *ctx, const char *key,
                          const struct peri_json *value) {
  return equal(value, peri_json_get(ctx, key)) ? 0 : 1;
}

static bool equal_elements(const struct peri_json *a,
                           const struct peri_json *b) {
  for (size_t i = 0; i < peri_json_size(a); i++) {
    if (!equal(peri_json_at(a, i), peri_json_at(b, i))) {
      return false;
    }
  }
  return true;
}

static bool equal(const struct peri_json *a, const struct peri_json *b) {
  if (a == NULL || b == NULL || peri_json_type(a) != peri_json_type(b)) {
    return a == b;
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
    case PERI_JSON_ARRAY:
      return peri_json_size(a) == peri_json_size(b) && equal_elements(a, b);
    case PERI_JSON_OBJECT:
      return peri_json_size(a) == peri_json_size(b) &&
             peri_json_each(a, member_differs, (void *)(uintptr_t)b) == 0;
    default:
      return true;
  }
}

/// One walk over the members of one tree, compared with the other.
struct comparison {
  const struct peri_json *other;
  char *names;
  size_t capacity;
  size_t len;
  bool absent_only;  // only what the other lacks
  bool differs;
};

static void name(struct comparison *compared, const char *key) {
  compared->differs = true;
  int len = snprintf(compared->names + compared->len,
                     compared->capacity - compared->len, "%s%s",
                     compared->len > 0 ? ", " : "", key);
  if (len > 0 && compared->len + (size_t)len < compared->capacity) {
    compared->len += (size_t)len;
  }
}

static int member_other_than_services(void *ctx, const char *key,
                                      const struct peri_json *value) {
  if (strcmp(key, "services") == 0) {
    return 0;
  }
  return member_differs(ctx, key, value);
}

/// Whether two registries differ in more than their services.
static bool registry_differs(const struct peri_json *a,
                             const struct peri_json *b) {
  return peri_json_each(a, member_other_than_services, (void *)(uintptr_t)b) !=
             0 ||
         peri_json_each(b, member_other_than_services, (void *)(uintptr_t)a) !=
             0;
}

static int compare_section(void *ctx, const char *key,
                           const struct peri_json *value) {
  struct comparison *compared = ctx;
  const struct peri_json *other = peri_json_get(compared->other, key);
  if (compared->absent_only && other != NULL) {
    return 0;
  }
  if (strcmp(key, "provides") == 0) {
    return 0;  // the registry takes it
  }
  bool differs = strcmp(key, "registry") == 0 && other != NULL
                     ? registry_differs(value, other)
                     : !equal(value, other);
  if (differs) {
    name(compared, key);
  }
  return 0;
}

bool peri_setup_differs(const struct peri_json *old_tree,
                        const struct peri_json *new_tree, char *ret_names,
                        size_t capacity) {
  struct comparison compared = {
      .other = new_tree, .names = ret_names, .capacity = capacity};
  ret_names[0] = '\0';
  peri_json_each(old_tree, compare_section, &compared);
  compared.other = old_tree;
  compared.absent_only = true;
  peri_json_each(new_tree, compare_section, &compared);
  return compared.differs;
}
