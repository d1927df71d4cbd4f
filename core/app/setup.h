#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_config;
struct peri_json;

/// A configuration file as it was read once.
struct peri_setup {
  struct peri_config *config;
  struct peri_json *tree;  // what the file returned, to compare with later
  char *source;            // the file's text
  size_t source_len;
};

/// Evaluates and checks a configuration file; blocking, but bounded by the
/// sandbox. @return 0, or what peri_script_config() and peri_config_build()
/// say; the words name the file.
int peri_setup_read(const char *file, struct peri_setup *ret_setup,
                    struct peri_problem *ret_problem);

/// Frees what it holds and leaves it empty.
void peri_setup_done(struct peri_setup *setup);

/// Warns in the log of what peri_config_absent() tells.
void peri_setup_warn(const struct peri_config *config);
