#include "app/reading.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/hash.h"
#include "base/slice.h"
#include "loop/errand.h"
#include "model/config.h"
#include "script/sources.h"

struct peri_reading {
  struct peri_errand errand;
  void (*done)(void *ctx, struct peri_reading *reading);
  void *ctx;
  // The thread may outlive what they were copied from.
  char *file;  // or NULL
  struct peri_folders folders;
  struct peri_config *config;  // that runs
  uint64_t source;             // its text's digest
  // What was read.
  int code;
  struct peri_problem problem;
  struct peri_setup setup;
  struct peri_sources *sources;
};

static void release(struct peri_reading *reading) {
  peri_setup_done(&reading->setup);
  peri_sources_unref(reading->sources);
  peri_config_unref(reading->config);
  free(reading->file);
  free(reading);
}

static uint64_t digest_of(const struct peri_setup *setup) {
  struct peri_slice text = {setup->source, setup->source_len};
  return peri_hash_xxh3(text, 0);
}

/// Of a configuration that was edited it is said which folders it misses:
/// looking for them may hang, too.
static int read_config(struct peri_reading *reading) {
  int rc = peri_setup_read(reading->file, &reading->setup, &reading->problem);
  if (rc == 0 && digest_of(&reading->setup) != reading->source) {
    peri_setup_warn(reading->setup.config);
  }
  return rc;
}

static int read_all(struct peri_reading *reading) {
  int rc = reading->file != NULL ? read_config(reading) : 0;
  if (rc < 0) {
    return rc;
  }
  const struct peri_config *config =
      reading->setup.config != NULL ? reading->setup.config : reading->config;
  return peri_sources_read(config, reading->folders.plugins,
                           reading->folders.lua, &reading->sources,
                           &reading->problem);
}

static struct peri_reading *of(struct peri_errand *errand) {
  return PERI_CONTAINER_OF(errand, struct peri_reading, errand);
}

static void run(struct peri_errand *errand) {
  of(errand)->code = read_all(of(errand));
}

static void on_done(struct peri_errand *errand) {
  struct peri_reading *reading = of(errand);
  reading->done(reading->ctx, reading);
  release(reading);
}

static void on_lost(struct peri_errand *errand) {
  release(of(errand));
}

int peri_reading_start(const struct peri_reading_options *options,
                       struct peri_reading **ret_reading) {
  struct peri_reading *reading = calloc(1, sizeof(*reading));
  int rc = 0;
  if (reading == NULL) {
    return PERI_ENOMEM;
  }
  reading->done = options->done;
  reading->ctx = options->ctx;
  reading->folders = *options->folders;
  reading->config = peri_config_ref(options->setup->config);
  reading->source = digest_of(options->setup);
  if (options->file != NULL) {
    reading->file = peri_slice_dup(peri_slice_of(options->file));
    rc = reading->file != NULL ? 0 : PERI_ENOMEM;
  }
  if (rc == 0) {
    rc = peri_errand_start(&reading->errand, options->control, run, on_done,
                           on_lost);
  }
  if (rc < 0) {
    release(reading);
    return rc;
  }
  *ret_reading = reading;
  return 0;
}

int peri_reading_take(struct peri_reading *reading,
                      struct peri_setup *ret_setup,
                      struct peri_sources **ret_sources,
                      struct peri_problem *ret_problem) {
  if (reading->code < 0) {
    return peri_problem_set(ret_problem, reading->code, "%s",
                            reading->problem.text);
  }
  *ret_setup = reading->setup;
  *ret_sources = reading->sources;
  reading->setup = (struct peri_setup){.config = NULL};
  reading->sources = NULL;
  return 0;
}
