#include "app/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  struct peri_setup setup = {NULL, NULL, NULL, 0};
  struct peri_problem problem = {0, ""};
  int rc = peri_script_config(file, &setup.source, &setup.source_len,
                              &setup.tree, &problem);
  if (rc == 0) {
    struct peri_slice text = {setup.source, setup.source_len};
    rc = peri_config_build(file, text, setup.tree, &setup.config, &problem);
  }
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
  free(setup->source);
  *setup = (struct peri_setup){NULL, NULL, NULL, 0};
}

static void warn(void *ctx, const char *key, const char *folder) {
  (void)ctx;
  peri_log(PERI_LOG_WARN, "app", "%s: there is no folder %s", key, folder);
}

void peri_setup_warn(const struct peri_config *config) {
  peri_config_absent(config, warn, NULL);
}
