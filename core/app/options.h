#pragma once

#include "base/error.h"
#include "base/log.h"
#include "base/types.h"

/// What `perigee serve` was asked for.
struct peri_serve_options {
  const char *config;  // borrowed from the arguments; "perigee.lua" by default
  enum peri_log_level log_level;
  enum peri_log_format log_format;
  /// What follows "--": the application to run, ending with NULL. Borrowed from
  /// the arguments; NULL when there is none.
  const char *const *command;
  bool help;
};

/// Reads the arguments after the verb (`argv[argc]` is NULL); `--name VALUE`
/// and `--name=VALUE` are the same. @return 0, or PERI_EINVAL with words that
/// name what is right.
int peri_serve_options_parse(int argc, const char *const *argv,
                             struct peri_serve_options *ret_options,
                             struct peri_problem *ret_problem);

/// The text of `perigee serve --help`. Static storage.
const char *peri_serve_options_help(void);
